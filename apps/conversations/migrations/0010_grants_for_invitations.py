"""Who was invited to a private conversation is granted it: to read, and to write where their role in the project let them.

An invitation counted only beside a role in the project, a grant counts by itself; so who has no role by now gets none.
"""

from itertools import islice

from django.db import migrations

VIEW, POST = "view_conversation", "post_in_conversation"

_INVITED = """
SELECT p.organization_id, p.conversation_id, p.user_id, c.owner_id,
  om.role IN ('owner', 'admin') OR pm.role IN ('editor', 'manager') OR pm.role IS NULL AS writes
FROM conversations_participation p
JOIN conversations_conversation c ON c.id = p.conversation_id
JOIN accounts_project pr ON pr.id = c.project_id
JOIN accounts_organizationmember om ON om.organization_id = pr.organization_id AND om.user_id = p.user_id
LEFT JOIN accounts_projectmember pm ON pm.project_id = pr.id AND pm.user_id = p.user_id
WHERE p.is_invited AND p.user_id <> c.owner_id
  AND (om.role IN ('owner', 'admin') OR pm.role IS NOT NULL OR (om.role = 'member' AND pr.access = 'organization'))
ORDER BY p.id
"""


def _permissions(apps):
    """Django makes them after all migrations; rows of now need them now."""
    kinds = apps.get_model("contenttypes", "ContentType").objects
    kind, _made = kinds.get_or_create(app_label="conversations", model="conversation")
    permissions = apps.get_model("auth", "Permission").objects
    names = {VIEW: "Can view conversation", POST: "Can write in the conversation"}
    return {
        code: permissions.get_or_create(content_type=kind, codename=code, defaults={"name": name})[0].pk
        for code, name in names.items()
    }


def grant(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(_INVITED)
        invited = iter(cursor.fetchall())
    grants = apps.get_model("conversations", "ConversationGrant")
    permissions = None
    while some := list(islice(invited, 500)):
        permissions = permissions or _permissions(apps)
        grants.objects.bulk_create(
            (
                grants(
                    organization_id=organization_id,
                    content_object_id=conversation_id,
                    user_id=user_id,
                    granted_by_id=owner_id,
                    permission_id=permissions[code],
                )
                for organization_id, conversation_id, user_id, owner_id, writes in some
                for code in ((VIEW, POST) if writes else (VIEW,))
            ),
            ignore_conflicts=True,
        )


class Migration(migrations.Migration):
    dependencies = [("conversations", "0009_sharing"), ("contenttypes", "0002_remove_content_type_name")]

    operations = [migrations.RunPython(grant, migrations.RunPython.noop, elidable=True)]
