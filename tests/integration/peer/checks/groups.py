"""Groups of objects: names, ranges and templates."""

import io
import tarfile

from run import raises

from aistore.sdk.errors import AISError, InvalidBckProvider
from aistore.sdk.multiobj import ObjectRange, ObjectTemplate
from aistore.sdk.provider import Provider

WAIT = 6


def names(bucket):
    return [entry.name for entry in bucket.list_all_objects()]


def some(count=12):
    return {f"o-{n:02}.txt": b"%d" % n for n in range(count)}


def wait(c, jobs):
    jobs = [jobs] if isinstance(jobs, str) else jobs
    assert jobs
    for job in jobs:
        result = c.client.job(job).wait(timeout=WAIT)
        assert result, result
    return jobs


def check_selections(c):
    bucket = c.bucket(some())
    group = bucket.objects(obj_range=ObjectRange("o-", 2, 4, pad_width=2, suffix=".txt"))
    assert group.list_names() == ["o-02.txt", "o-03.txt", "o-04.txt"]
    assert [o.name for o in group.list_all_objects_iter()] == group.list_names()
    assert [o.name for o in group.list_all_objects_iter(prefix="o-03", props=None)] == ["o-03.txt"]
    assert len(list(group.list_urls())) == 3
    assert group.client is bucket.client
    group.client = bucket.client
    template = bucket.objects(obj_template="o-{00..06..3}.txt")
    assert template.list_names() == ["o-00.txt", "o-03.txt", "o-06.txt"]
    raises(ValueError, bucket.objects)
    raises(ValueError, bucket.objects, obj_names=["a"], obj_template="b")


def check_delete(c):
    bucket = c.bucket(some())
    wait(c, bucket.objects(obj_names=["o-00.txt", "o-01.txt"]).delete())
    wait(c, bucket.objects(obj_range=ObjectRange("o-", 2, 5, pad_width=2, suffix=".txt")).delete())
    wait(c, bucket.objects(obj_template="o-{06..08}.txt").delete())
    assert names(bucket) == ["o-09.txt", "o-10.txt", "o-11.txt"]
    job = bucket.objects(obj_names=["absent"]).delete()
    c.client.job(job).wait(timeout=WAIT)
    assert len(names(bucket)) == 3
    wait(c, bucket.objects(obj_range=ObjectRange("o-1")).delete())
    assert names(bucket) == ["o-09.txt"]


def check_remote_only(c):
    bucket = c.bucket(some(2))
    raises(InvalidBckProvider, bucket.objects(obj_names=["o-00.txt"]).evict)
    raises(InvalidBckProvider, bucket.objects(obj_names=["o-00.txt"]).prefetch)
    cloud = c.client.bucket("some", provider=Provider.AMAZON).objects(obj_names=["a"])
    raises(AISError, cloud.evict)
    raises(AISError, cloud.prefetch, blob_threshold=1, num_workers=2, latest=True, continue_on_error=True)


def check_copy(c):
    bucket, to = c.bucket(some()), c.bucket()
    wait(c, bucket.objects(obj_names=["o-00.txt", "o-01.txt"]).copy(to, prepend="p/"))
    assert names(to) == ["p/o-00.txt", "p/o-01.txt"]
    wait(c, bucket.objects(obj_template="o-{02..03}.txt").copy(to, num_workers=2, force=True, latest=False))
    assert names(to) == ["o-02.txt", "o-03.txt", "p/o-00.txt", "p/o-01.txt"]
    jobs = bucket.objects(obj_names=["o-05.txt"]).copy(to, dry_run=True)
    for job in jobs:
        c.client.job(job).wait(timeout=WAIT)
    assert len(names(to)) == 4
    jobs = bucket.objects(obj_names=["o-05.txt", "absent"]).copy(to, continue_on_error=True)
    for job in jobs:
        c.client.job(job).wait(timeout=WAIT)
    assert "o-05.txt" in names(to)
    wait(c, bucket.objects(obj_names=["o-06.txt"]).copy(to, sync=True))


def check_archive(c):
    bucket, to = c.bucket(some(5)), c.bucket()
    for mime in ("tar", "tgz", "tar.gz", "zip", "tar.lz4"):
        name = f"{mime.replace('.', '-')}.{mime}"
        wait(c, bucket.objects(obj_template="o-{00..02}.txt").archive(name, to_bck=to))
        assert [e.name for e in to.list_archive(name)] == [f"{name}/o-{n:02}.txt" for n in range(3)]
    wait(
        c, bucket.objects(obj_names=["o-03.txt"]).archive("named.tar", mime=".tar", include_source_name=True)
    )
    data = bucket.object("named.tar").get_reader().read_all()
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert [n.rpartition("/")[2] for n in archive.getnames()] == ["o-03.txt"]
        assert archive.getnames()[0].startswith(bucket.name)
    raises(AISError, bucket.objects(obj_names=["o-04.txt"]).archive, "without an extension", mime=".tar")
    wait(c, bucket.objects(obj_names=["o-04.txt"]).archive("tar.tar", to_bck=to, allow_append=True))
    assert len(to.list_archive("tar.tar")) == 4
    wait(
        c,
        bucket.objects(obj_names=["o-00.txt", "absent"]).archive(
            "partly.tar", to_bck=to, continue_on_err=True
        ),
    )
    assert [e.name for e in to.list_archive("partly.tar")] == ["partly.tar/o-00.txt"]


def check_templates(c):
    bucket = c.bucket(some(3))
    to = c.bucket()
    wait(c, bucket.objects(obj_template=ObjectTemplate("o-{00..01}.txt").get_value()["template"]).copy(to))
    assert names(to) == ["o-00.txt", "o-01.txt"]
    raises(AISError, bucket.objects(obj_template="o-{3..1}").delete)
    assert len(names(bucket)) == 3
