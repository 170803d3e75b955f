//! What kinds of nodes and edges of OpenGraph files mean here.
//!
//! Sources: node and edge pages of GitHound (SpecterOps/GitHound, `Documentation/`), "Traversable
//! and Non-Traversable Edge Types" and the Azure nodes of bloodhound.specterops.io; ids of
//! built-in roles from Azure's documentation. `docs/opengraph.md` has the same table for readers.

/// What a kind of node is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NodeMeaning {
    /// An identity of this kind; whether it is no human.
    Identity(&'static str, Option<bool>),
    /// A credential of this kind.
    Credential(&'static str),
    /// A resource, or what only gives others their place.
    Thing,
}

/// What a kind of edge means here, from its start to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EdgeMeaning {
    /// Who starts has all that the end has: groups and roles.
    Member,
    /// Who starts can act as the end, or take it over.
    Controls,
    /// Who starts owns the end, and so controls it.
    Owns,
    /// Who starts may do this to the end.
    Permits(&'static str),
    /// Who starts may do to the end what the kind of the edge says.
    PermitsItself,
    /// Who starts has this built-in role of Azure on the end: name and id.
    AzureRole(&'static str, &'static str),
    /// OIDC tokens of jobs of the start are taken for the end.
    Federates,
    /// A token reaches the end: which permissions, the token says.
    Reaches,
    /// An edge of our own export.
    Ours,
    /// Where something is; nobody may do anything for it.
    Structure,
}

use EdgeMeaning::{AzureRole, Controls, Federates, Member, Owns, Permits, PermitsItself, Reaches, Structure};
use NodeMeaning::{Credential, Identity, Thing};

/// Nodes whose name is enough.
const NODES: &[(&str, NodeMeaning)] = &[
    ("GH_App", Identity("app", Some(true))),
    ("GH_AppInstallation", Identity("app_installation", Some(true))),
    ("GH_Branch", Thing),
    ("GH_BranchProtectionRule", Thing),
    ("GH_Enterprise", Identity("organization", Some(false))),
    ("GH_EnterpriseTeam", Identity("group", Some(false))),
    ("GH_Environment", Identity("environment", Some(false))),
    ("GH_EnvironmentSecret", Credential("environment_secret")),
    ("GH_EnvironmentVariable", Thing),
    ("GH_ExternalIdentity", Thing),
    ("GH_OrgRole", Identity("role_definition", Some(false))),
    ("GH_OrgSecret", Credential("organization_secret")),
    ("GH_OrgVariable", Thing),
    ("GH_Organization", Identity("organization", Some(false))),
    ("GH_PersonalAccessToken", Identity("personal_access_token", Some(true))),
    ("GH_PersonalAccessTokenRequest", Thing),
    ("GH_RepoRole", Identity("role_definition", Some(false))),
    ("GH_RepoSecret", Credential("actions_secret")),
    ("GH_RepoVariable", Thing),
    ("GH_Repository", Thing),
    ("GH_Runner", Thing),
    ("GH_RunnerGroup", Thing),
    ("GH_SamlIdentityProvider", Thing),
    ("GH_SecretScanningAlert", Thing),
    ("GH_Team", Identity("group", Some(false))),
    ("GH_TeamRole", Identity("role_definition", Some(false))),
    ("GH_User", Identity("user", Some(false))),
    ("GH_Workflow", Thing),
    ("GH_WorkflowJob", Thing),
    ("GH_WorkflowStep", Thing),
    ("AZApp", Identity("service_principal", Some(true))),
    ("AZAutomationAccount", Thing),
    ("AZContainerRegistry", Thing),
    ("AZDevice", Thing),
    ("AZFederatedIdentityCredential", Thing),
    ("AZFunctionApp", Thing),
    ("AZGroup", Identity("group", Some(false))),
    ("AZKeyVault", Thing),
    ("AZLogicApp", Thing),
    ("AZManagedCluster", Thing),
    ("AZManagementGroup", Thing),
    ("AZResourceGroup", Thing),
    ("AZRole", Identity("role_definition", Some(false))),
    ("AZServicePrincipal", Identity("service_principal", Some(true))),
    ("AZSubscription", Thing),
    ("AZTenant", Identity("organization", Some(false))),
    ("AZUser", Identity("user", Some(false))),
    ("AZVM", Thing),
    ("AZVMScaleSet", Thing),
    ("AZWebApp", Thing),
    ("AWSAccount", Identity("account", Some(false))),
    ("AWSGroup", Identity("group", Some(false))),
    ("AWSRole", Identity("role", Some(true))),
    ("AWSUser", Identity("user", None)),
    ("LG_Admin", Identity("admin", None)),
    ("LG_Code", Identity("code", None)),
    ("LG_Credential", Identity("credential", None)),
    ("LG_Human", Identity("user", Some(false))),
    ("LG_Identity", Identity("unknown", None)),
    ("LG_Job", Identity("job", None)),
    ("LG_Resource", Identity("resource", None)),
    ("LG_Run", Identity("run", None)),
    ("LG_Secret", Identity("secret", None)),
    ("LG_Session", Identity("session", None)),
    ("LG_Workflow", Identity("workflow", None)),
];

/// Nodes of other extensions (`Okta_User`), by what follows the prefix.
const OTHER_NODES: &[(&str, NodeMeaning)] = &[
    ("APIToken", Identity("token", Some(true))),
    ("ApiToken", Identity("token", Some(true))),
    ("Application", Identity("application", Some(true))),
    ("Group", Identity("group", Some(false))),
    ("Person", Identity("user", Some(false))),
    ("Role", Identity("role_definition", Some(false))),
    ("ServiceAccount", Identity("service_account", Some(true))),
    ("ServicePrincipal", Identity("service_principal", Some(true))),
    ("User", Identity("user", Some(false))),
];

/// Edges of GitHound that are no plain permission.
const GITHUB: &[(&str, EdgeMeaning)] = &[
    ("GH_AddMember", Controls),
    ("GH_AdminTo", Permits("administration:write")),
    ("GH_AssignedTo", Structure),
    ("GH_CallsWorkflow", Structure),
    ("GH_CanAccess", Reaches),
    ("GH_CanAssumeIdentity", Federates),
    ("GH_Contains", Structure),
    ("GH_DependsOn", Structure),
    ("GH_DeploysTo", Structure),
    ("GH_HasBaseRole", Member),
    ("GH_HasBranch", Structure),
    ("GH_HasEnvironment", Structure),
    ("GH_HasExternalIdentity", Structure),
    ("GH_HasJob", Structure),
    ("GH_HasMember", Structure),
    ("GH_HasPersonalAccessToken", Owns),
    ("GH_HasPersonalAccessTokenRequest", Structure),
    ("GH_HasRole", Member),
    ("GH_HasSamlIdentityProvider", Structure),
    ("GH_HasSecret", Structure),
    ("GH_HasStep", Structure),
    ("GH_HasVariable", Structure),
    ("GH_HasWorkflow", Structure),
    ("GH_InstalledAs", Controls),
    ("GH_ManageDeployKeys", Permits("administration:write")),
    ("GH_ManageOrganizationWebhooks", Permits("organization_hooks:write")),
    ("GH_ManageWebhooks", Permits("repository_hooks:write")),
    ("GH_MapsToUser", Structure),
    ("GH_MemberOf", Member),
    ("GH_Owns", Structure),
    ("GH_ProtectedBy", Structure),
    ("GH_ReadCodeScanning", Permits("security_events:read")),
    ("GH_ReadRepoContents", Permits("contents:read")),
    ("GH_SyncedTo", Controls),
    ("GH_UsesSecret", Structure),
    ("GH_UsesVariable", Structure),
    ("GH_ValidToken", Structure),
    ("GH_ViewDependabotAlerts", Permits("vulnerability_alerts:read")),
    ("GH_ViewSecretScanningAlerts", Permits("secret_scanning_alerts:read")),
    ("GH_WriteCodeScanning", Permits("security_events:write")),
    ("GH_WriteOrganizationActionsSecrets", Permits("organization_secrets:write")),
    ("GH_WriteOrganizationActionsSettings", Permits("organization_administration:write")),
    ("GH_WriteOrganizationActionsVariables", Permits("organization_actions_variables:write")),
    ("GH_WriteOrganizationCustomOrgRole", Permits("organization_custom_org_roles:write")),
    ("GH_WriteOrganizationCustomRepoRole", Permits("organization_custom_roles:write")),
    ("GH_WriteRepoContents", Permits("contents:write")),
    ("GH_WriteRepoPullRequests", Permits("pull_requests:write")),
];

/// What other permission edges of GitHound begin with: they name what they permit themselves.
const GITHUB_PERMISSIONS: &[&str] = &[
    "GH_Add",
    "GH_Bypass",
    "GH_Can",
    "GH_Close",
    "GH_Convert",
    "GH_Create",
    "GH_Delete",
    "GH_Edit",
    "GH_Invite",
    "GH_Jump",
    "GH_Manage",
    "GH_MarkAs",
    "GH_OrgBypass",
    "GH_OrgReview",
    "GH_Push",
    "GH_Read",
    "GH_Remove",
    "GH_Reopen",
    "GH_RequestPrReview",
    "GH_Resolve",
    "GH_Restrictions",
    "GH_RunOrgMigration",
    "GH_Set",
    "GH_Toggle",
    "GH_Transfer",
    "GH_View",
    "GH_Write",
];

/// Edges of AzureHound.
const AZURE: &[(&str, EdgeMeaning)] = &[
    (
        "AZAKSContributor",
        AzureRole("Azure Kubernetes Service Contributor Role", "ed7f3fbd-7b88-4dd4-9017-9adb7ce333f8"),
    ),
    ("AZAddMembers", Controls),
    ("AZAddOwner", Controls),
    ("AZAddSecret", Controls),
    ("AZAppAdmin", Controls),
    ("AZAutomationContributor", AzureRole("Automation Contributor", "f353d9bd-d4a6-484e-a77a-8050b599b867")),
    ("AZAvereContributor", AzureRole("Avere Contributor", "4f8fab4f-1852-4a58-a46a-8eaf358af14a")),
    ("AZCloudAppAdmin", Controls),
    ("AZContains", Structure),
    ("AZContributor", AzureRole("Contributor", "b24988ac-6180-42a0-ab88-20f7382dd24c")),
    ("AZExecuteCommand", PermitsItself),
    ("AZGetCertificates", Permits("Microsoft.KeyVault/vaults/certificates/read")),
    ("AZGetKeys", Permits("Microsoft.KeyVault/vaults/keys/read")),
    ("AZGetSecrets", Permits("Microsoft.KeyVault/vaults/secrets/getSecret/action")),
    ("AZGlobalAdmin", Controls),
    ("AZHasRole", Member),
    ("AZKeyVaultContributor", AzureRole("Key Vault Contributor", "f25e0fa2-a7c8-4377-a976-54943a77a395")),
    ("AZLogicAppContributor", AzureRole("Logic App Contributor", "87a39d53-fc1b-424a-814c-f7e04687dc9e")),
    ("AZMGAddMember", Controls),
    ("AZMGAddOwner", Controls),
    ("AZMGAddSecret", Controls),
    ("AZMGGrantAppRoles", Controls),
    ("AZMGGrantRole", Controls),
    ("AZManagedIdentity", Controls),
    ("AZMemberOf", Member),
    ("AZNodeResourceGroup", Structure),
    ("AZOwner", AzureRole("Owner", "8e3af657-a8ff-443c-a75c-2fe8c4bcb635")),
    ("AZOwns", Owns),
    ("AZPrivilegedAuthAdmin", Controls),
    ("AZPrivilegedRoleAdmin", Controls),
    ("AZResetPassword", Controls),
    ("AZRunsAs", Controls),
    ("AZScopedTo", Structure),
    (
        "AZUserAccessAdministrator",
        AzureRole("User Access Administrator", "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9"),
    ),
    (
        "AZVMAdminLogin",
        AzureRole("Virtual Machine Administrator Login", "1c0163c0-47e6-4577-8991-ea5c82e286e4"),
    ),
    ("AZVMContributor", AzureRole("Virtual Machine Contributor", "9980e02c-c2be-4d73-94e8-173b1dc7cf3c")),
    ("AZWebsiteContributor", AzureRole("Website Contributor", "de139f84-1756-47ae-9be6-808fbbe84772")),
];

/// Edges of any other extension, by what follows its prefix.
const OTHER_EDGES: &[(&str, EdgeMeaning)] = &[
    ("AddMember", Controls),
    ("AddOwner", Controls),
    ("AdminTo", Controls),
    ("AssumeRole", Controls),
    ("AssumesRole", Controls),
    ("CanAssume", Controls),
    ("CanAssumeRole", Controls),
    ("CanImpersonate", Controls),
    ("Contains", Structure),
    ("ForceChangePassword", Controls),
    ("GenericAll", Controls),
    ("GenericWrite", Controls),
    ("HasRole", Member),
    ("Impersonate", Controls),
    ("MemberOf", Member),
    ("Owns", Owns),
    ("ResetPassword", Controls),
    ("RunsAs", Controls),
    ("SyncedTo", Controls),
];

fn of<M: Copy>(table: &[(&str, M)], name: &str) -> Option<M> {
    table.iter().find(|(known, _)| *known == name).map(|(_, meaning)| *meaning)
}

/// The platform of a kind and what follows the prefix that tells it.
pub(super) fn parts(kind: &str) -> (String, &str) {
    let known = [("GH_", "github"), ("AZ", "azure"), ("AWS_", "aws"), ("AWS", "aws"), ("LG_", "leakgraph")];
    let rest_of = |prefix: &str| {
        let rest = kind.strip_prefix(prefix)?;
        rest.starts_with(|first: char| first.is_ascii_uppercase()).then_some(rest)
    };
    let of_known =
        known.iter().find_map(|(prefix, platform)| Some(((*platform).to_owned(), rest_of(prefix)?)));
    of_known.unwrap_or_else(|| match kind.split_once('_') {
        Some((prefix, rest)) if !prefix.is_empty() && !rest.is_empty() => (prefix.to_lowercase(), rest),
        _ => ("bloodhound".to_owned(), kind),
    })
}

/// What a node of this kind is; `None` if nobody said.
pub(super) fn node(kind: &str) -> Option<NodeMeaning> {
    of(NODES, kind).or_else(|| of(OTHER_NODES, parts(kind).1))
}

/// What an edge of this kind means; `None` if nobody said.
pub(super) fn edge(kind: &str) -> Option<EdgeMeaning> {
    if kind.starts_with("LG_") {
        return Some(EdgeMeaning::Ours);
    }
    of(GITHUB, kind).or_else(|| of(AZURE, kind)).or_else(|| of(OTHER_EDGES, parts(kind).1)).or_else(|| {
        let permits = GITHUB_PERMISSIONS.iter().any(|start| kind.starts_with(start));
        permits.then_some(PermitsItself)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_tell_platforms() {
        let told = |kind| (parts(kind).0, parts(kind).1.to_owned());
        let is = |platform: &str, rest: &str| (platform.to_owned(), rest.to_owned());
        assert_eq!(told("GH_User"), is("github", "User"));
        assert_eq!(told("AZUser"), is("azure", "User"));
        assert_eq!(told("AWS_MemberOf"), is("aws", "MemberOf"));
        assert_eq!(told("Okta_User"), is("okta", "User"));
        assert_eq!(told("AZTEC"), is("azure", "TEC"));
        assert_eq!(told("User"), is("bloodhound", "User"));
        assert_eq!((node("Jamf_User"), node("Jamf_Printer")), (Some(Identity("user", Some(false))), None));
        assert_eq!((edge("Okta_MemberOf"), edge("Okta_Likes")), (Some(Member), None));
        assert_eq!(edge("GH_CloseIssue"), Some(PermitsItself));
    }

    #[test]
    fn the_page_names_every_kind() {
        let page = include_str!("../../../../../docs/opengraph.md");
        let kinds = NODES.iter().map(|(kind, _)| kind).chain(OTHER_NODES.iter().map(|(kind, _)| kind));
        let kinds = kinds.chain([GITHUB, AZURE, OTHER_EDGES].into_iter().flatten().map(|(kind, _)| kind));
        for kind in kinds.chain(GITHUB_PERMISSIONS) {
            assert!(page.contains(&format!("`{kind}`")) || page.contains(&format!("`{kind}…`")), "{kind}");
        }
    }
}
