"""Events: all kinds that a usage log may hold, and the names that notifications have for some of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

PUSH, PULL, DELETE_TAG, CREATE_REPOSITORY, MOVE_TAG = "push_repo", "pull_repo", "delete_tag", "create_repo", "move_tag"
DELETE_MANIFEST, DELETE_REPOSITORY = "delete_manifest", "delete_repo"
DESCRIBE, CHANGE_VISIBILITY, CHANGE_STATE = "set_repo_description", "change_repo_visibility", "change_repo_state"
CREATE_TAG, REVERT_TAG, CHANGE_EXPIRATION = "create_tag", "revert_tag", "change_tag_expiration"
CHANGE_IMMUTABILITY, EXPIRE_FOR_GOOD = "change_tag_immutability", "permanently_delete_tag"
ADD_LABEL, DELETE_LABEL = "manifest_label_add", "manifest_label_delete"
TAG_EXPIRED, TAG_PRUNED = "tag_expired", "autoprune_tag_delete"
RESTORE_REPOSITORY = "restore_repo"
TAG_FIXED, TAGS_FIXED = "tag_made_immutable_by_policy", "tags_made_immutable_by_policy"
# A label `quay.expires-after` that cannot be read, or that ends a tag at once.
TAG_EXPIRATION_WARNED = "tag_expiration_warned"
QUOTA_WARNING = "quota_warning"
ROLE_CHANGED = "user_change_role"
MIRROR_ENABLED, MIRROR_DISABLED = "repo_mirror_enabled", "repo_mirror_disabled"
MIRROR_CHANGED, MIRROR_REQUESTED = "repo_mirror_config_changed", "repo_mirror_sync_now_requested"
MIRROR_STARTED, MIRROR_SUCCESS = "repo_mirror_sync_started", "repo_mirror_sync_success"
MIRROR_FAILED = "repo_mirror_sync_failed"
MIRROR_TEST_SUCCESS, MIRROR_TEST_FAILED = "repo_mirror_sync_test_success", "repo_mirror_sync_test_failed"
MIRROR_TAG_SUCCESS, MIRROR_TAG_FAILED = "repo_mirror_sync_tag_success", "repo_mirror_sync_tag_failed"
ORG_MIRROR_ENABLED, ORG_MIRROR_DISABLED = "org_mirror_enabled", "org_mirror_disabled"
ORG_MIRROR_CHANGED, ORG_MIRROR_REQUESTED = "org_mirror_config_changed", "org_mirror_sync_now_requested"
ORG_MIRROR_CANCELLED, ORG_MIRROR_STARTED = "org_mirror_sync_cancelled", "org_mirror_sync_started"
ORG_MIRROR_SUCCESS, ORG_MIRROR_FAILED = "org_mirror_sync_success", "org_mirror_sync_failed"
ORG_MIRROR_CREATED, ORG_MIRROR_NOT_CREATED = "org_mirror_repo_created", "org_mirror_repo_creation_failed"
CACHE_CREATED, CACHE_DELETED = "create_proxy_cache_config", "delete_proxy_cache_config"
LOGIN, LOGIN_REFUSED, LOGOUT = "login_success", "login_failure", "logout_success"

# Every kind of Quay's log.
QUAYS_WORDS = """
user_create user_delete user_disable user_enable user_change_email user_change_password user_change_name
user_change_invoicing user_change_tag_expiration user_change_metadata user_generate_client_key account_change_plan
account_change_cc account_change_password account_convert create_robot delete_robot create_robot_federation
delete_robot_federation federated_robot_token_exchange create_repo push_repo push_repo_failed pull_repo
pull_repo_failed delete_repo create_tag move_tag delete_tag delete_tag_failed revert_tag add_repo_permission
change_repo_permission delete_repo_permission change_repo_visibility change_repo_trust add_repo_accesstoken
delete_repo_accesstoken set_repo_description change_repo_state build_dockerfile org_create org_delete
org_create_team org_delete_team org_invite_team_member org_delete_team_member_invite org_add_team_member
org_team_member_invite_accepted org_team_member_invite_declined org_remove_team_member org_set_team_description
org_set_team_role org_change_email org_change_invoicing org_change_tag_expiration org_change_name
create_prototype_permission modify_prototype_permission delete_prototype_permission setup_repo_trigger
delete_repo_trigger create_application update_application delete_application reset_application_client_secret
add_repo_webhook delete_repo_webhook add_repo_notification delete_repo_notification reset_repo_notification
create_namespace_notification delete_namespace_notification reset_namespace_notification regenerate_robot_token
repo_verb repo_mirror_enabled repo_mirror_disabled repo_mirror_config_changed repo_mirror_sync_started
repo_mirror_sync_failed repo_mirror_sync_success repo_mirror_sync_now_requested repo_mirror_sync_tag_success
repo_mirror_sync_tag_failed repo_mirror_sync_test_success repo_mirror_sync_test_failed repo_mirror_sync_test_started
org_mirror_enabled org_mirror_disabled org_mirror_config_changed org_mirror_sync_started org_mirror_sync_failed
org_mirror_sync_success org_mirror_sync_now_requested org_mirror_sync_cancelled org_mirror_repo_created
service_key_create service_key_approve service_key_delete service_key_modify service_key_extend service_key_rotate
take_ownership manifest_label_add manifest_label_delete change_tag_expiration change_tag_immutability
toggle_repo_trigger create_immutability_policy update_immutability_policy delete_immutability_policy
tag_made_immutable_by_policy tags_made_immutable_by_policy create_app_specific_token revoke_app_specific_token
create_proxy_cache_config delete_proxy_cache_config start_build_trigger cancel_build login_success login_failure
logout_success permanently_delete_tag autoprune_tag_delete create_namespace_autoprune_policy
update_namespace_autoprune_policy delete_namespace_autoprune_policy create_repository_autoprune_policy
update_repository_autoprune_policy delete_repository_autoprune_policy enable_team_sync disable_team_sync
oauth_token_assigned oauth_token_revoked export_logs_success export_logs_failure org_create_quota org_change_quota
org_delete_quota org_create_quota_limit org_change_quota_limit org_delete_quota_limit create_oauth_api_token
revoke_oauth_api_token
"""
QUAYS = frozenset(QUAYS_WORDS.split())
# Our kinds that Quay does not have, with the reason for each.
OURS = {
    DELETE_MANIFEST: "a manifest was deleted by its digest; each of its tags has a delete_tag, as in Quay",
    RESTORE_REPOSITORY: "a deleted repository was restored: Quay's Time Machine keeps tags only",
    TAG_EXPIRED: "a tag reached its expiration: Quay does not record it",
    TAG_EXPIRATION_WARNED: "a label quay.expires-after cannot be read or has run out: Quay does not record it",
    QUOTA_WARNING: "Quay sends a notification of this name and does not record it",
    ORG_MIRROR_NOT_CREATED: "a repository that was discovered has a name that is refused: Quay never records its kind",
    ROLE_CHANGED: "a user became a superuser, a read-only one, or none: Quay's configuration names its superusers",
    "create_global_message": "Quay does not record messages",
    "delete_global_message": "Quay does not record messages",
}
KINDS = QUAYS | OURS.keys()
# For these kinds Quay repeats the performer's name in the metadata.
NAMING = frozenset(
    {PUSH, PULL, "create_tag", MOVE_TAG, DELETE_TAG, "revert_tag", "change_tag_expiration", "change_tag_immutability"}
)


@dataclass(frozen=True, slots=True)
class Event:
    """An event of the usage log. `at` is in seconds since the epoch; `repository_id` is None if it concerns none.

    Raises ValueError for a kind that is not listed here: users filter by kind and must find every kind documented.
    """

    id: str
    at: float
    kind: str
    namespace_id: str
    repository_id: str | None
    performer: str
    address: str
    metadata: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.kind!r} is not among the kinds of domain/events.py")
