"""What the OpenAPI file calls sets of choices that several fields share."""

ENUM_NAMES = {
    "BulkItemStatusEnum": "apps.bulk.types.ItemStatus",
    "BulkOperationStatusEnum": "apps.bulk.types.OperationStatus",
    "WorkflowRunCauseEnum": "apps.workflows.types.RunCause",
    "WorkflowRunStatusEnum": "apps.workflows.types.RunStatus",
    "WorkflowStepStatusEnum": "apps.workflows.types.StepStatus",
    "ChoiceStatusEnum": "apps.workflows.types.ChoiceStatus",
    "MessageOutRoleEnum": "apps.conversations.types.Role",
    "OrganizationRoleEnum": "apps.accounts.types.OrganizationRole",
    "ProjectRoleEnum": "apps.accounts.types.ProjectRole",
    "IdentityProviderKindEnum": "apps.accounts.types.IdentityProviderKind",
    "ReasonEnum": "apps.files.types.Reason",
    "ServiceRoleEnum": "apps.accounts.api.right_shapes.SERVICE_ROLES",
    "PackKeptReasonEnum": "apps.packs.types.KEPT_REASONS",
    "PackObjectKindEnum": "apps.packs.types.ObjectKind",
    "PermissionEnum": "apps.accounts.types.Permission",
    "ProviderKindEnum": "apps.llm.presets.ProviderKind",
    "ViewOrPostEnum": "apps.conversations.types.VIEW_OR_POST",
    "CollectionVisibilityEnum": "apps.extraction.types.Visibility",
    "VisibilityEnum": "apps.conversations.types.Visibility",
}
