from django.db import migrations


def fill(apps, editor):
    author, label, book, cover = (apps.get_model("shop", name) for name in ("Author", "Label", "Book", "Cover"))
    label.objects.create(name="only")
    for number in range(6):
        written = book.objects.create(title=f"book {number}", author=author.objects.create(name=f"author {number}"))
        written.labels.add(label.objects.get())
        cover.objects.create(book=written, colour="red")


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [migrations.RunPython(fill)]
