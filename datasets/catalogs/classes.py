"""Sensitivity classes of actions, for build.py, and roles of Google Cloud in full.

Letters: e leads to more privilege, c returns or sets credentials, p changes permissions or
exposes resources, d reads data, w writes, r reads configuration, t tags, l lists.
"""
import re

AWS_LEVELS = {"List": "L", "Read": "R", "Write": "W", "Permissions management": "P", "Tagging": "T"}
OF_LEVEL = {"L": "l", "R": "r", "W": "w", "P": "p", "T": "t"}

# Not in the lists of iam-dataset: the AWS documentation of each says that it returns a stored
# secret, a token, a key or a password. (Salesforce Cloudsplaining's list of actions that return
# credentials names most of them too.)
AWS_CREDENTIALS = """
airflow:CreateCliToken airflow:CreateWebLoginToken appsync:CreateApiKey
eks-auth:AssumeRoleForPodIdentity emr-containers:GetManagedEndpointSessionCredentials
finspace-api:GetProgrammaticAccessCredentials gamelift:GetComputeAccess
gamelift:GetComputeAuthToken grafana:CreateWorkspaceApiKey
grafana:CreateWorkspaceServiceAccountToken license-manager:GetAccessToken
lightsail:CreateBucketAccessKey lightsail:GetInstanceAccessDetails
redshift-serverless:GetCredentials redshift:GetClusterCredentialsWithIAM
secretsmanager:BatchGetSecretValue secretsmanager:GetSecretValue
ssm:GetParameter ssm:GetParameterHistory ssm:GetParameters ssm:GetParametersByPath
"""
# Returns plaintext.
AWS_DATA = "kms:Decrypt"


def folded(names):
    return {name.lower() for name in names.split()}


def aws(action, level, tags):
    """First hit: ESC, CRED, PERM, DATA, then by access level."""
    action = action.lower()
    if action in tags["PrivEsc"]:
        return "e"
    if action in tags["CredentialExposure"] or action in folded(AWS_CREDENTIALS):
        return "c"
    if level == "P" or (action in tags["ResourceExposure"] and level in "WT"):
        return "p"
    if action in tags["DataAccess"] or action in folded(AWS_DATA):
        return "d"
    return OF_LEVEL[level]


# Google Cloud, "Roles for service account authentication", "Privilege-bearing API calls", and
# Rhino Security Labs, "Privilege Escalation in Google Cloud Platform", parts 1 and 2.
GCP_ESCALATIONS = folded("""
iam.serviceAccounts.actAs iam.serviceAccounts.getAccessToken iam.serviceAccounts.implicitDelegation
iam.serviceAccounts.signBlob iam.serviceAccounts.signJwt iam.serviceAccounts.setIamPolicy
iam.serviceAccountKeys.create iam.roles.update iam.workloadIdentityPools.create
iam.workloadIdentityPoolProviders.create iam.workloadIdentityPoolProviders.update
resourcemanager.projects.setIamPolicy resourcemanager.folders.setIamPolicy
resourcemanager.organizations.setIamPolicy resourcemanager.projects.createPolicyBinding
resourcemanager.folders.createPolicyBinding resourcemanager.organizations.createPolicyBinding
orgpolicy.policy.set deploymentmanager.deployments.create deploymentmanager.deployments.update
cloudbuild.builds.create cloudbuild.triggers.create cloudfunctions.functions.create
cloudfunctions.functions.update cloudfunctions.functions.setIamPolicy
cloudfunctions.functions.sourceCodeSet run.services.create run.services.update run.jobs.create
run.jobs.update compute.instances.create compute.instances.setMetadata
compute.instances.setServiceAccount compute.instances.osLogin compute.instances.osAdminLogin
compute.projects.setCommonInstanceMetadata cloudscheduler.jobs.create composer.environments.create
dataflow.jobs.create dataproc.clusters.create dataproc.jobs.create container.pods.create
container.pods.exec container.pods.attach container.nodes.proxy container.clusters.impersonate
container.clusterRoles.bind container.clusterRoles.escalate container.clusterRoleBindings.create
container.clusterRoleBindings.update container.roles.bind container.roles.escalate
container.roleBindings.create container.roleBindings.update notebooks.instances.create
workflows.workflows.create workstations.workstations.create
""")
GCP_CREDENTIALS = folded("""
secretmanager.versions.access apikeys.keys.getKeyString apikeys.keys.create storage.hmacKeys.create
iam.serviceAccounts.getOpenIdToken iam.serviceAccountKeys.enable container.secrets.get
container.secrets.list container.serviceAccounts.createToken cloudsql.sslCerts.create
cloudsql.users.create cloudsql.users.update compute.backendServices.addSignedUrlKey
compute.backendBuckets.addSignedUrlKey developerconnect.gitRepositoryLinks.fetchReadToken
developerconnect.gitRepositoryLinks.fetchReadWriteToken bigquery.connections.delegate
""")
GCP_READS = ("get", "view", "read", "fetch", "check", "lookup", "describe", "export", "validate", "calculate",
             "show", "query", "analyze", "test", "compute", "retrieve", "verify", "download", "access", "detect")


def gcp(permission, tags):
    """Level and class by lists, then by the verb (IAM, "Permissions": SERVICE.RESOURCE.VERB)."""
    verb = permission.rsplit(".", 1)[-1]
    name = permission.lower()
    if verb.startswith(("list", "search", "aggregatedList")):
        level = "L"
    elif re.search(r"Tag(Binding)?$|^setLabels$", verb):
        level = "T"
    elif re.search(r"^setIamPolicy$|PolicyBinding$|^setSecurityPolicy$|^escalate$|^bind$|^impersonate$", verb):
        level = "P"
    elif verb.startswith(GCP_READS):
        level = "R"
    else:
        level = "W"
    if name in GCP_ESCALATIONS:
        return level + "e"
    if name in GCP_CREDENTIALS or permission in tags["CredentialExposure"]:
        return level + "c"
    if level == "P":
        return "Pp"
    if permission in tags["DataAccess"] and level in "RW" or re.match(r"getData$|downloadArtifacts$|consume$|useToDecrypt", verb):
        return level + "d"
    return level + OF_LEVEL[level]


# Microsoft Learn, "Azure built-in roles for privileged access", "Assign a managed identity", "Run
# scripts in your VM"; NetSPI and SpecterOps on ways from Azure Resource Manager to identities.
AZURE_ESCALATIONS = re.compile(r"""
^microsoft\.authorization/(roleassignments|roledefinitions)/write$
|^microsoft\.authorization/(roleassignmentschedulerequests|roleeligibilityschedulerequests|rolemanagementpolicies)/write$
|^microsoft\.authorization/elevateaccess/action$
|^microsoft\.managedidentity/userassignedidentities/(assign/action|federatedidentitycredentials/write)$
|^microsoft\.(compute|classiccompute)/virtualmachines/(write|runcommand/action|runcommands/write|extensions/write)$
|^microsoft\.compute/virtualmachines/login(asadmin)?/action$
|^microsoft\.compute/virtualmachinescalesets/(write|virtualmachines/runcommand/action|extensions/write)$
|^microsoft\.automation/automationaccounts/(write|runbooks/(draft/content/)?write|jobs/write|webhooks/write)$
|^microsoft\.containerservice/managedclusters/(write|runcommand/action)$
|^microsoft\.resources/(deployments|deploymentscripts)/write$
|^microsoft\.web/sites/(write|functions/write|extensions/write|host/sync/action)$
|^microsoft\.logic/workflows/write$
|^microsoft\.hybridcompute/machines/(extensions/write|runcommands/write|login(asadmin)?/action)$
|^microsoft\.app/(containerapps|jobs)/write$
|^microsoft\.containerinstance/containergroups/(write|containers/exec/action)$
""", re.X)
AZURE_CREDENTIALS = re.compile(r"""
list(\w*)(keys?|secrets?|credentials?|connectionstrings|sas|tokens?|publishingcredentials|passwords?)(/\w+)*/action$
|(get|generate|regenerate|create|retrieve|rotate|reset)(\w*)(keys?|secrets?|credentials?|sas|token|password)(/\w+)*/action$
|getuserdelegationkey|/publishxml/action$|/secrets/(getsecret|setsecret|backup)/action$|/config/list/action$
|/certificates/export|/sharedaccesspolicies/listkeys
""", re.X)
AZURE_PERMISSIONS = re.compile(r"""
^microsoft\.authorization/.*/(write|delete|action)$|/accesspolicies/(write|action)$
|/firewallrules/write$|/networkrulesets/write$|/locks/(write|delete)$
""", re.X)

# Operations that matter and that no built-in role names in full (Microsoft Learn, "Azure resource
# provider operations").
AZURE_OPERATIONS = """
Microsoft.Authorization/roleDefinitions/write Microsoft.Authorization/roleAssignmentScheduleRequests/write
Microsoft.Authorization/roleEligibilityScheduleRequests/write Microsoft.Authorization/policyAssignments/write
Microsoft.ManagedIdentity/userAssignedIdentities/assign/action
Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write
Microsoft.Compute/virtualMachines/runCommand/action Microsoft.Compute/virtualMachines/runCommands/write
Microsoft.Compute/virtualMachines/write Microsoft.Compute/virtualMachines/extensions/write
Microsoft.Compute/virtualMachines/loginAsAdmin/action Microsoft.Compute/disks/beginGetAccess/action
Microsoft.ContainerService/managedClusters/write Microsoft.ContainerService/managedClusters/runCommand/action
Microsoft.ContainerService/managedClusters/listClusterAdminCredential/action
Microsoft.Resources/deployments/write Microsoft.Resources/deploymentScripts/write
Microsoft.Web/sites/write Microsoft.Web/sites/functions/write Microsoft.Web/sites/config/list/action
Microsoft.Web/sites/publishxml/action Microsoft.Logic/workflows/write Microsoft.App/containerApps/write
Microsoft.Automation/automationAccounts/runbooks/draft/write
Microsoft.Automation/automationAccounts/runbooks/write
Microsoft.ContainerInstance/containerGroups/write Microsoft.ContainerInstance/containerGroups/containers/exec/action
Microsoft.HybridCompute/machines/extensions/write Microsoft.HybridCompute/machines/runCommands/write
Microsoft.KeyVault/vaults/write Microsoft.KeyVault/vaults/accessPolicies/write
Microsoft.KeyVault/vaults/secrets/getSecret/action Microsoft.KeyVault/vaults/secrets/setSecret/action
Microsoft.KeyVault/vaults/keys/decrypt/action Microsoft.KeyVault/vaults/keys/sign/action
Microsoft.Storage/storageAccounts/listKeys/action Microsoft.Storage/storageAccounts/regenerateKey/action
Microsoft.Storage/storageAccounts/listAccountSas/action Microsoft.Storage/storageAccounts/listServiceSas/action
Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read
Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write
Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete
Microsoft.ContainerRegistry/registries/listCredentials/action
Microsoft.ContainerRegistry/registries/pull/read Microsoft.ContainerRegistry/registries/push/write
Microsoft.DocumentDB/databaseAccounts/listKeys/action Microsoft.Sql/servers/write
Microsoft.ServiceBus/namespaces/authorizationRules/listKeys/action
Microsoft.EventHub/namespaces/authorizationRules/listKeys/action
Microsoft.CognitiveServices/accounts/listKeys/action Microsoft.Resources/tags/write
"""


def azure(action, is_data):
    """Level and class by patterns, then by the last word (Azure, "Understand role definitions")."""
    name = action.lower()
    last = name.rsplit("/", 1)[-1]
    operation = name.rsplit("/", 2)[-2] if last == "action" else ""
    if name.startswith("microsoft.resources/tags") or "/tags/" in name:
        level = "T" if last != "read" else "R"
    elif last == "read":
        level = "R"
    elif operation.startswith(("list", "search", "query")):
        level = "L"
    elif operation.startswith(("get", "check", "read", "validate", "download", "export", "view", "fetch")):
        level = "R"
    else:
        level = "W"
    if AZURE_ESCALATIONS.search(name):
        return "Pe" if "authorization" in name else level + "e"
    if AZURE_CREDENTIALS.search(name):
        return level + "c"
    if AZURE_PERMISSIONS.search(name):
        return "Pp"
    if is_data and level == "R" or name.endswith(("/decrypt/action", "/unwrap/action")):
        return level + "d"
    return level + OF_LEVEL[level]


# Roles that workflows hold, in full: `gcloud iam roles describe`, as iann0036/iam-dataset keeps it
# (gcp/roles/*.json, 2026-08). Of all other predefined roles only those permissions are known that
# lead to others or to data: NetSPI gcpwn (BSD-3-Clause), og_permission_to_roles_map.json.
GCP_ROLES = {
    "iam.serviceAccountUser": """
        iam.serviceAccounts.actAs iam.serviceAccounts.get iam.serviceAccounts.list
        resourcemanager.projects.get resourcemanager.projects.list
    """,
    "iam.serviceAccountTokenCreator": """
        iam.serviceAccounts.get iam.serviceAccounts.getAccessToken iam.serviceAccounts.getOpenIdToken
        iam.serviceAccounts.implicitDelegation iam.serviceAccounts.list iam.serviceAccounts.signBlob
        iam.serviceAccounts.signJwt resourcemanager.projects.get resourcemanager.projects.list
    """,
    "iam.serviceAccountOpenIdTokenCreator": """
        iam.serviceAccounts.getOpenIdToken
    """,
    "iam.workloadIdentityUser": """
        iam.serviceAccounts.get iam.serviceAccounts.getAccessToken iam.serviceAccounts.getOpenIdToken
        iam.serviceAccounts.list
    """,
    "iam.serviceAccountKeyAdmin": """
        iam.serviceAccountKeys.create iam.serviceAccountKeys.delete iam.serviceAccountKeys.disable
        iam.serviceAccountKeys.enable iam.serviceAccountKeys.get iam.serviceAccountKeys.list
        iam.serviceAccounts.get iam.serviceAccounts.list resourcemanager.projects.get
        resourcemanager.projects.list
    """,
    "iam.serviceAccountAdmin": """
        iam.serviceAccountApiKeyBindings.create iam.serviceAccountApiKeyBindings.delete
        iam.serviceAccountApiKeyBindings.undelete iam.serviceAccounts.create
        iam.serviceAccounts.createTagBinding iam.serviceAccounts.delete
        iam.serviceAccounts.deleteTagBinding iam.serviceAccounts.disable iam.serviceAccounts.enable
        iam.serviceAccounts.get iam.serviceAccounts.getIamPolicy iam.serviceAccounts.list
        iam.serviceAccounts.listEffectiveTags iam.serviceAccounts.listTagBindings
        iam.serviceAccounts.setIamPolicy iam.serviceAccounts.undelete iam.serviceAccounts.update
        resourcemanager.projects.get resourcemanager.projects.list
    """,
    "iam.roleAdmin": """
        iam.roles.create iam.roles.delete iam.roles.get iam.roles.list iam.roles.undelete
        iam.roles.update resourcemanager.projects.get resourcemanager.projects.getIamPolicy
    """,
    "resourcemanager.projectIamAdmin": """
        resourcemanager.projects.get resourcemanager.projects.getIamPolicy
        resourcemanager.projects.setIamPolicy
    """,
    "browser": """
        resourcemanager.folders.get resourcemanager.folders.list resourcemanager.organizations.get
        resourcemanager.projects.get resourcemanager.projects.getIamPolicy resourcemanager.projects.list
    """,
    "secretmanager.secretAccessor": """
        resourcemanager.projects.get resourcemanager.projects.list secretmanager.versions.access
    """,
    "secretmanager.admin": """
        resourcemanager.projects.get resourcemanager.projects.list secretmanager.locations.get
        secretmanager.locations.list secretmanager.secrets.create secretmanager.secrets.delete
        secretmanager.secrets.get secretmanager.secrets.getIamPolicy secretmanager.secrets.list
        secretmanager.secrets.setIamPolicy secretmanager.secrets.update secretmanager.versions.access
        secretmanager.versions.add secretmanager.versions.destroy secretmanager.versions.disable
        secretmanager.versions.enable secretmanager.versions.get secretmanager.versions.list
    """,
    "storage.objectViewer": """
        resourcemanager.projects.get resourcemanager.projects.list storage.folders.get
        storage.folders.list storage.managedFolders.get storage.managedFolders.list storage.objects.get
        storage.objects.list
    """,
    "storage.objectCreator": """
        orgpolicy.policy.get resourcemanager.projects.get resourcemanager.projects.list
        storage.folders.create storage.managedFolders.create storage.multipartUploads.abort
        storage.multipartUploads.create storage.multipartUploads.listParts storage.objects.create
        storage.objects.createContext
    """,
    "storage.objectAdmin": """
        orgpolicy.policy.get resourcemanager.projects.get resourcemanager.projects.list
        storage.folders.create storage.folders.delete storage.folders.get storage.folders.list
        storage.folders.rename storage.managedFolders.create storage.managedFolders.delete
        storage.managedFolders.get storage.managedFolders.list storage.multipartUploads.abort
        storage.multipartUploads.create storage.multipartUploads.list storage.multipartUploads.listParts
        storage.objects.create storage.objects.delete storage.objects.get storage.objects.getIamPolicy
        storage.objects.list storage.objects.move storage.objects.overrideUnlockedRetention
        storage.objects.restore storage.objects.setIamPolicy storage.objects.setRetention
        storage.objects.update
    """,
    "storage.admin": """
        firebase.projects.get orgpolicy.policy.get recommender.iamPolicyInsights.get
        recommender.iamPolicyInsights.list recommender.iamPolicyInsights.update
        recommender.iamPolicyRecommendations.get recommender.iamPolicyRecommendations.list
        recommender.iamPolicyRecommendations.update recommender.storageBucketSoftDeleteInsights.get
        recommender.storageBucketSoftDeleteInsights.list
        recommender.storageBucketSoftDeleteInsights.update
        recommender.storageBucketSoftDeleteRecommendations.get
        recommender.storageBucketSoftDeleteRecommendations.list
        recommender.storageBucketSoftDeleteRecommendations.update
        resourcemanager.hierarchyNodes.listEffectiveTags resourcemanager.projects.get
        resourcemanager.projects.list storage.anywhereCaches.create storage.anywhereCaches.disable
        storage.anywhereCaches.get storage.anywhereCaches.list storage.anywhereCaches.pause
        storage.anywhereCaches.resume storage.anywhereCaches.update storage.bucketOperations.cancel
        storage.bucketOperations.get storage.bucketOperations.list storage.buckets.create
        storage.buckets.createTagBinding storage.buckets.delete storage.buckets.deleteTagBinding
        storage.buckets.enableObjectRetention storage.buckets.get storage.buckets.getIamPolicy
        storage.buckets.getIpFilter storage.buckets.getObjectInsights storage.buckets.list
        storage.buckets.listEffectiveTags storage.buckets.listTagBindings storage.buckets.relocate
        storage.buckets.restore storage.buckets.setIamPolicy storage.buckets.setIpFilter
        storage.buckets.update storage.folders.create storage.folders.delete storage.folders.get
        storage.folders.list storage.folders.rename storage.managedFolders.create
        storage.managedFolders.delete storage.managedFolders.get storage.managedFolders.getIamPolicy
        storage.managedFolders.list storage.managedFolders.setIamPolicy storage.managementHubs.get
        storage.managementHubs.update storage.multipartUploads.abort storage.multipartUploads.create
        storage.multipartUploads.list storage.multipartUploads.listParts storage.objects.create
        storage.objects.delete storage.objects.get storage.objects.getIamPolicy storage.objects.list
        storage.objects.move storage.objects.overrideUnlockedRetention storage.objects.restore
        storage.objects.setIamPolicy storage.objects.setRetention storage.objects.update
    """,
    "cloudbuild.builds.editor": """
        cloudbuild.builds.create cloudbuild.builds.get cloudbuild.builds.list cloudbuild.builds.update
        remotebuildexecution.blobs.get resourcemanager.projects.get resourcemanager.projects.list
    """,
    "cloudfunctions.developer": """
        cloudbuild.builds.get cloudbuild.builds.list cloudfunctions.functions.call
        cloudfunctions.functions.create cloudfunctions.functions.delete cloudfunctions.functions.get
        cloudfunctions.functions.invoke cloudfunctions.functions.list
        cloudfunctions.functions.sourceCodeGet cloudfunctions.functions.sourceCodeSet
        cloudfunctions.functions.update cloudfunctions.locations.get cloudfunctions.locations.list
        cloudfunctions.operations.get cloudfunctions.operations.list cloudfunctions.runtimes.list
        eventarc.locations.get eventarc.locations.list eventarc.operations.cancel
        eventarc.operations.delete eventarc.operations.get eventarc.operations.list
        eventarc.triggers.create eventarc.triggers.delete eventarc.triggers.get
        eventarc.triggers.getIamPolicy eventarc.triggers.list eventarc.triggers.undelete
        eventarc.triggers.update recommender.locations.get recommender.locations.list
        remotebuildexecution.blobs.get resourcemanager.projects.get resourcemanager.projects.list
        run.configurations.get run.configurations.list run.locations.list run.revisions.delete
        run.revisions.get run.revisions.list run.routes.get run.routes.invoke run.routes.list
        run.services.create run.services.delete run.services.get run.services.getIamPolicy
        run.services.list run.services.listEffectiveTags run.services.listTagBindings run.services.update
        serviceusage.quotas.get serviceusage.services.get serviceusage.services.list
    """,
    "run.invoker": """
        run.routes.invoke
    """,
    "logging.logWriter": """
        logging.logEntries.create
    """,
    "monitoring.metricWriter": """
        monitoring.metricDescriptors.create monitoring.metricDescriptors.get
        monitoring.metricDescriptors.list monitoring.monitoredResourceDescriptors.get
        monitoring.monitoredResourceDescriptors.list monitoring.timeSeries.create
    """,
    "pubsub.publisher": """
        pubsub.topics.publish
    """,
    "cloudsql.client": """
        cloudsql.instances.connect cloudsql.instances.get
    """,
    "bigquery.jobUser": """
        bigquery.jobs.create resourcemanager.projects.get resourcemanager.projects.list
    """,
    "bigquery.dataEditor": """
        bigquery.config.get bigquery.datasets.create bigquery.datasets.get bigquery.datasets.getIamPolicy
        bigquery.datasets.updateTag bigquery.models.create bigquery.models.delete bigquery.models.export
        bigquery.models.getData bigquery.models.getMetadata bigquery.models.list
        bigquery.models.updateData bigquery.models.updateMetadata bigquery.models.updateTag
        bigquery.propertyGraphs.create bigquery.propertyGraphs.delete bigquery.propertyGraphs.get
        bigquery.propertyGraphs.list bigquery.propertyGraphs.update bigquery.routines.create
        bigquery.routines.delete bigquery.routines.get bigquery.routines.list bigquery.routines.update
        bigquery.routines.updateTag bigquery.tables.create bigquery.tables.createIndex
        bigquery.tables.createSnapshot bigquery.tables.delete bigquery.tables.deleteIndex
        bigquery.tables.export bigquery.tables.get bigquery.tables.getData bigquery.tables.getIamPolicy
        bigquery.tables.list bigquery.tables.replicateData bigquery.tables.restoreSnapshot
        bigquery.tables.update bigquery.tables.updateData bigquery.tables.updateIndex
        bigquery.tables.updateTag cloudkms.keyHandles.create cloudkms.keyHandles.get
        cloudkms.keyHandles.list cloudkms.operations.get cloudkms.projects.showEffectiveAutokeyConfig
        dataplex.datascans.cancel dataplex.datascans.create dataplex.datascans.delete
        dataplex.datascans.get dataplex.datascans.getData dataplex.datascans.getIamPolicy
        dataplex.datascans.list dataplex.datascans.run dataplex.datascans.update dataplex.operations.get
        dataplex.operations.list resourcemanager.projects.get resourcemanager.projects.list
    """,
    "cloudkms.cryptoKeyEncrypterDecrypter": """
        cloudkms.cryptoKeyVersions.useToDecrypt cloudkms.cryptoKeyVersions.useToEncrypt
        cloudkms.locations.get cloudkms.locations.list resourcemanager.projects.get
    """,
    "artifactregistry.reader": """
        artifactregistry.dockerimages.get artifactregistry.dockerimages.list artifactregistry.files.get
        artifactregistry.files.list artifactregistry.locations.get artifactregistry.locations.list
        artifactregistry.mavenartifacts.get artifactregistry.mavenartifacts.list
        artifactregistry.npmpackages.get artifactregistry.npmpackages.list artifactregistry.packages.get
        artifactregistry.packages.list artifactregistry.projectsettings.get
        artifactregistry.pythonpackages.get artifactregistry.pythonpackages.list
        artifactregistry.repositories.downloadArtifacts artifactregistry.repositories.get
        artifactregistry.repositories.list artifactregistry.repositories.listEffectiveTags
        artifactregistry.repositories.listTagBindings
        artifactregistry.repositories.readViaVirtualRepository artifactregistry.tags.get
        artifactregistry.tags.list artifactregistry.versions.get artifactregistry.versions.list
    """,
    "artifactregistry.writer": """
        artifactregistry.aptartifacts.create artifactregistry.dockerimages.get
        artifactregistry.dockerimages.list artifactregistry.files.download artifactregistry.files.get
        artifactregistry.files.list artifactregistry.files.update artifactregistry.kfpartifacts.create
        artifactregistry.locations.get artifactregistry.locations.list
        artifactregistry.mavenartifacts.get artifactregistry.mavenartifacts.list
        artifactregistry.npmpackages.get artifactregistry.npmpackages.list artifactregistry.packages.get
        artifactregistry.packages.list artifactregistry.packages.update
        artifactregistry.projectsettings.get artifactregistry.pythonpackages.get
        artifactregistry.pythonpackages.list artifactregistry.repositories.downloadArtifacts
        artifactregistry.repositories.get artifactregistry.repositories.list
        artifactregistry.repositories.listEffectiveTags artifactregistry.repositories.listTagBindings
        artifactregistry.repositories.readViaVirtualRepository
        artifactregistry.repositories.uploadArtifacts artifactregistry.tags.create
        artifactregistry.tags.get artifactregistry.tags.list artifactregistry.tags.update
        artifactregistry.versions.get artifactregistry.versions.list artifactregistry.yumartifacts.create
    """,
    "run.developer": """
        recommender.locations.get recommender.locations.list recommender.runServiceCostInsights.get
        recommender.runServiceCostInsights.list recommender.runServiceCostInsights.update
        recommender.runServiceCostRecommendations.get recommender.runServiceCostRecommendations.list
        recommender.runServiceCostRecommendations.update recommender.runServiceIdentityInsights.get
        recommender.runServiceIdentityInsights.list recommender.runServiceIdentityInsights.update
        recommender.runServiceIdentityRecommendations.get
        recommender.runServiceIdentityRecommendations.list
        recommender.runServiceIdentityRecommendations.update
        recommender.runServicePerformanceInsights.get recommender.runServicePerformanceInsights.list
        recommender.runServicePerformanceInsights.update
        recommender.runServicePerformanceRecommendations.get
        recommender.runServicePerformanceRecommendations.list
        recommender.runServicePerformanceRecommendations.update
        recommender.runServiceSecurityInsights.get recommender.runServiceSecurityInsights.list
        recommender.runServiceSecurityInsights.update recommender.runServiceSecurityRecommendations.get
        recommender.runServiceSecurityRecommendations.list
        recommender.runServiceSecurityRecommendations.update resourcemanager.projects.get
        resourcemanager.projects.list run.configurations.get run.configurations.list
        run.executions.cancel run.executions.delete run.executions.get run.executions.list
        run.instances.create run.instances.delete run.instances.get run.instances.getIamPolicy
        run.instances.invoke run.instances.list run.instances.sshRead run.instances.sshRoot
        run.instances.start run.instances.stop run.instances.update run.jobs.create run.jobs.delete
        run.jobs.get run.jobs.getIamPolicy run.jobs.list run.jobs.listEffectiveTags
        run.jobs.listTagBindings run.jobs.run run.jobs.runWithOverrides run.jobs.sshRead run.jobs.sshRoot
        run.jobs.update run.locations.list run.operations.delete run.operations.get run.operations.list
        run.prompts.get run.revisions.delete run.revisions.get run.revisions.list run.routes.get
        run.routes.invoke run.routes.list run.services.create run.services.delete run.services.get
        run.services.getIamPolicy run.services.list run.services.listEffectiveTags
        run.services.listTagBindings run.services.sshRead run.services.sshRoot run.services.update
        run.tasks.get run.tasks.list run.workerpools.create run.workerpools.delete run.workerpools.get
        run.workerpools.getIamPolicy run.workerpools.list run.workerpools.sshRead run.workerpools.sshRoot
        run.workerpools.update
    """,
    "run.admin": """
        recommender.locations.get recommender.locations.list recommender.runServiceCostInsights.get
        recommender.runServiceCostInsights.list recommender.runServiceCostInsights.update
        recommender.runServiceCostRecommendations.get recommender.runServiceCostRecommendations.list
        recommender.runServiceCostRecommendations.update recommender.runServiceIdentityInsights.get
        recommender.runServiceIdentityInsights.list recommender.runServiceIdentityInsights.update
        recommender.runServiceIdentityRecommendations.get
        recommender.runServiceIdentityRecommendations.list
        recommender.runServiceIdentityRecommendations.update
        recommender.runServicePerformanceInsights.get recommender.runServicePerformanceInsights.list
        recommender.runServicePerformanceInsights.update
        recommender.runServicePerformanceRecommendations.get
        recommender.runServicePerformanceRecommendations.list
        recommender.runServicePerformanceRecommendations.update
        recommender.runServiceSecurityInsights.get recommender.runServiceSecurityInsights.list
        recommender.runServiceSecurityInsights.update recommender.runServiceSecurityRecommendations.get
        recommender.runServiceSecurityRecommendations.list
        recommender.runServiceSecurityRecommendations.update resourcemanager.projects.get
        resourcemanager.projects.list run.configurations.get run.configurations.list
        run.executions.cancel run.executions.delete run.executions.get run.executions.list
        run.instances.create run.instances.delete run.instances.get run.instances.getIamPolicy
        run.instances.invoke run.instances.list run.instances.setIamPolicy run.instances.sshRead
        run.instances.sshRoot run.instances.start run.instances.stop run.instances.update run.jobs.create
        run.jobs.createTagBinding run.jobs.delete run.jobs.deleteTagBinding run.jobs.get
        run.jobs.getIamPolicy run.jobs.list run.jobs.listEffectiveTags run.jobs.listTagBindings
        run.jobs.run run.jobs.runWithOverrides run.jobs.setIamPolicy run.jobs.sshRead run.jobs.sshRoot
        run.jobs.update run.locations.list run.operations.delete run.operations.get run.operations.list
        run.prompts.get run.revisions.delete run.revisions.get run.revisions.list run.routes.get
        run.routes.invoke run.routes.list run.services.create run.services.createTagBinding
        run.services.delete run.services.deleteTagBinding run.services.get run.services.getIamPolicy
        run.services.list run.services.listEffectiveTags run.services.listTagBindings
        run.services.setIamPolicy run.services.sshRead run.services.sshRoot run.services.update
        run.tasks.get run.tasks.list run.workerpools.create run.workerpools.delete run.workerpools.get
        run.workerpools.getIamPolicy run.workerpools.list run.workerpools.setIamPolicy
        run.workerpools.sshRead run.workerpools.sshRoot run.workerpools.update
    """,
}
