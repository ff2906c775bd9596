from django.db import models


class Author(models.Model):
    name = models.CharField(max_length=50)


class Label(models.Model):
    name = models.CharField(max_length=50)


class Book(models.Model):
    title = models.CharField(max_length=50)
    author = models.ForeignKey(Author, models.CASCADE, related_name="books")
    labels = models.ManyToManyField(Label, related_name="books")


class Cover(models.Model):
    book = models.OneToOneField(Book, models.CASCADE)
    colour = models.CharField(max_length=20)
