import apps.core.ids
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0009_sessions_proved_and_idle'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='PackInstallation',
            fields=[
                ('id', models.UUIDField(default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('name', models.CharField(max_length=40, verbose_name='name')),
                ('prefix', models.CharField(blank=True, max_length=20, verbose_name='prefix')),
                ('version', models.CharField(max_length=30, verbose_name='version')),
                ('title', models.CharField(max_length=80, verbose_name='title')),
                ('summary', models.CharField(max_length=500, verbose_name='summary')),
                ('licence', models.CharField(max_length=80, verbose_name='licence')),
                ('language', models.CharField(max_length=10, verbose_name='language')),
                ('origin', models.CharField(choices=[('shipped', 'Comes with the installation'), ('uploaded', 'Uploaded')], max_length=8)),
                ('digest', models.CharField(max_length=64)),
                ('samples', models.JSONField(default=list)),
                ('installed_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('organization', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.organization')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.project')),
            ],
            options={
                'verbose_name': 'installed pack',
                'verbose_name_plural': 'installed packs',
                'indexes': [models.Index(fields=['project', '-created_at', '-id'], name='packs_installation_list')],
                'constraints': [models.UniqueConstraint(fields=('organization', 'project', 'name', 'prefix'), name='packs_installed_once')],
            },
        ),
        migrations.CreateModel(
            name='InstalledObject',
            fields=[
                ('id', models.UUIDField(default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('kind', models.CharField(choices=[('collection', 'Collection'), ('template', 'Template'), ('agent', 'Agent'), ('workflow', 'Workflow')], max_length=10, verbose_name='kind')),
                ('name', models.CharField(max_length=150, verbose_name='name')),
                ('object_id', models.UUIDField()),
                ('digest', models.CharField(max_length=64)),
                ('is_own', models.BooleanField(default=True)),
                ('installation', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='packs.packinstallation', verbose_name='installed pack')),
                ('organization', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.organization')),
            ],
            options={
                'verbose_name': 'object of a pack',
                'verbose_name_plural': 'objects of packs',
                'indexes': [models.Index(fields=['installation', 'kind', 'name'], name='packs_object_list'), models.Index(fields=['object_id'], name='packs_object_of')],
                'constraints': [models.UniqueConstraint(fields=('organization', 'installation', 'kind', 'name'), name='packs_object_once')],
            },
        ),
    ]
