"""Writes kubernetes-permissions.tsv beside this file, from the table below.

Columns: group/resource[/subresource], scope (n namespaced, c cluster), verb=LC with
L access level (L list, R read, W write, P permissions) and C class (build.py).
Resources and verbs: Kubernetes API reference v1.31, podsecuritypolicies of v1.20,
mutatingadmissionpolicies of v1.32; classes e and c: kubernetes.io "RBAC Good Practices".
"""
import pathlib
STD="get list watch create update patch delete deletecollection"
def d(verb):
    return {"get":"r","list":"l","watch":"l"}.get(verb,"w")
rows={}
def add(group,res,scope,verbs=STD,**over):
    g=group or "core"
    codes={v:d(v) for v in verbs.split()}
    for ks,c in over.items():
        for v in ks.split("_"): codes[v]=c
    rows[f"{g}/{res}"]=(scope,codes)
RD="get_list_watch"; WR="create_update_patch"
def status(group,res,scope): add(group,res+"/status",scope,"get update patch")
core=""
for r in "configmaps endpoints events limitranges persistentvolumeclaims podtemplates resourcequotas services".split(): add(core,r,"n")
add(core,"configmaps","n",get="d",list="d",watch="d")
add(core,"secrets","n",get="c",list="c",watch="c",create="c",update="c",patch="c")
add(core,"pods","n",create="e",update="e",patch="e")
add(core,"replicationcontrollers","n",create="e",update="e",patch="e")
add(core,"serviceaccounts","n",impersonate="e")
add(core,"serviceaccounts/token","n","create",create="e")
add(core,"bindings","n","create")
add(core,"pods/binding","n","create"); add(core,"pods/eviction","n","create")
add(core,"pods/exec","n","create get",create="e",get="e"); add(core,"pods/attach","n","create get",create="e",get="e")
add(core,"pods/portforward","n","create get",create="w",get="w"); add(core,"pods/proxy","n","get create update patch delete")
add(core,"pods/ephemeralcontainers","n","get update patch",update="e",patch="e")
add(core,"pods/resize","n","get update patch")
add(core,"pods/log","n","get",get="d")
add(core,"services/proxy","n","get create update patch delete")
for r in "pods replicationcontrollers resourcequotas services persistentvolumeclaims".split(): status(core,r,"n")
add(core,"replicationcontrollers/scale","n","get update patch")
add(core,"namespaces","c",update="p",patch="p")
add(core,"namespaces/finalize","c","update"); status(core,"namespaces","c")
add(core,"nodes","c"); status(core,"nodes","c")
add(core,"nodes/proxy","c","get create update patch delete",get="e",create="e",update="e",patch="e",delete="e")
for s in "log metrics spec stats".split(): add(core,"nodes/"+s,"c","get")
add(core,"persistentvolumes","c",create="e",update="e",patch="e"); status(core,"persistentvolumes","c")
add(core,"componentstatuses","c","get list watch")
add(core,"users","c","impersonate",impersonate="e"); add(core,"groups","c","impersonate",impersonate="e")
A="apps"
for r in "deployments daemonsets statefulsets replicasets".split():
    add(A,r,"n",create="e",update="e",patch="e"); status(A,r,"n")
    if r!="daemonsets": add(A,r+"/scale","n","get update patch")
add(A,"controllerrevisions","n")
for r in "jobs cronjobs".split(): add("batch",r,"n",create="e",update="e",patch="e"); status("batch",r,"n")
add("autoscaling","horizontalpodautoscalers","n"); status("autoscaling","horizontalpodautoscalers","n")
add("policy","poddisruptionbudgets","n"); status("policy","poddisruptionbudgets","n")
add("policy","podsecuritypolicies","c",STD+" use",use="p",create="p",update="p",patch="p")
N="networking.k8s.io"
add(N,"ingresses","n"); status(N,"ingresses","n"); add(N,"networkpolicies","n",create="p",update="p",patch="p",delete="p",deletecollection="p"); add(N,"ingressclasses","c")
add("coordination.k8s.io","leases","n"); add("discovery.k8s.io","endpointslices","n"); add("events.k8s.io","events","n")
R="rbac.authorization.k8s.io"
P=dict(create="p",update="p",patch="p",delete="p",deletecollection="p")
for r,s in (("roles","n"),("clusterroles","c")): add(R,r,s,STD,escalate="e",bind="e",**P)
for r,s in (("rolebindings","n"),("clusterrolebindings","c")): add(R,r,s,STD,**P)
C="certificates.k8s.io"
add(C,"certificatesigningrequests","c"); add(C,"certificatesigningrequests/approval","c","get update patch",update="e",patch="e"); status(C,"certificatesigningrequests","c")
add(C,"signers","c","approve sign attest",approve="e",sign="e",attest="p")
M="admissionregistration.k8s.io"
E=dict(create="e",update="e",patch="e",delete="p",deletecollection="p")
for r in "mutatingwebhookconfigurations validatingwebhookconfigurations mutatingadmissionpolicies mutatingadmissionpolicybindings".split(): add(M,r,"c",STD,**E)
for r in "validatingadmissionpolicies validatingadmissionpolicybindings".split(): add(M,r,"c",STD,**P)
add("apiextensions.k8s.io","customresourcedefinitions","c"); status("apiextensions.k8s.io","customresourcedefinitions","c")
add("apiregistration.k8s.io","apiservices","c",STD,**P); status("apiregistration.k8s.io","apiservices","c")
S="storage.k8s.io"
for r in "storageclasses volumeattachments csidrivers csinodes".split(): add(S,r,"c")
add(S,"csistoragecapacities","n")
add("scheduling.k8s.io","priorityclasses","c"); add("node.k8s.io","runtimeclasses","c")
for r in "flowschemas prioritylevelconfigurations".split(): add("flowcontrol.apiserver.k8s.io",r,"c")
T="authentication.k8s.io"
add(T,"tokenreviews","c","create",create="r"); add(T,"selfsubjectreviews","c","create",create="r")
add(T,"userextras","c","impersonate",impersonate="e"); add(T,"uids","c","impersonate",impersonate="e")
Z="authorization.k8s.io"
for r in "subjectaccessreviews selfsubjectaccessreviews selfsubjectrulesreviews".split(): add(Z,r,"c","create",create="r")
add(Z,"localsubjectaccessreviews","n","create",create="r")
X="metrics.k8s.io"
add(X,"pods","n","get list watch"); add(X,"nodes","c","get list watch")
def level(v,c):
    if c=="p" or v in("escalate","bind","impersonate"): return "P"
    return {"get":"R","list":"L","watch":"L"}.get(v,"R" if c=="r" else "W")
with open(pathlib.Path(__file__).with_name("kubernetes-permissions.tsv"), "w") as f:
    for name in sorted(rows):
        scope,codes=rows[name]
        f.write(f"{name}\t{scope}\t"+" ".join(f"{v}={level(v,c)}{c}" for v,c in codes.items())+"\n")
