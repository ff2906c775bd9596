import pgvector.django.indexes
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]

    operations = [
        migrations.AddIndex(
            model_name="product",
            index=pgvector.django.indexes.HnswIndex(
                fields=["embedding"], name="product_embedding", opclasses=["vector_cosine_ops"]
            ),
        ),
    ]
