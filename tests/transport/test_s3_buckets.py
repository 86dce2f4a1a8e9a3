"""Where objects of S3 are found: the host a bucket is on, the link a key makes, the key a link means."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrv_assets.transport.s3 import Bucket, bucket_of

USGS = Bucket(name="usgs-landsat", region="us-west-2", access="requester pays")
DOTTED = Bucket(name="scenes.example.org", region="eu-central-1")
MINIO = Bucket(name="scenes", region="us-east-1", access="signed", endpoint="https://minio.example.org:9000")


@pytest.mark.parametrize(
    ("bucket", "host", "url"),
    [
        (USGS, "usgs-landsat.s3.us-west-2.amazonaws.com", "https://usgs-landsat.s3.us-west-2.amazonaws.com/a/b.tif"),
        (DOTTED, "s3.eu-central-1.amazonaws.com", "https://s3.eu-central-1.amazonaws.com/scenes.example.org/a/b.tif"),
        (
            Bucket(name="scenes", region="cn-north-1"),
            "scenes.s3.cn-north-1.amazonaws.com.cn",
            "https://scenes.s3.cn-north-1.amazonaws.com.cn/a/b.tif",
        ),
        (MINIO, "minio.example.org", "https://minio.example.org:9000/scenes/a/b.tif"),
    ],
    ids=["host of its own", "dots in its name", "China", "endpoint"],
)
def test_a_bucket_has_one_host(bucket: Bucket, host: str, url: str) -> None:
    """The bucket stands in the host's name at Amazon, but in the path when a dot would break the certificate."""
    assert (bucket.host, bucket.url("a/b.tif")) == (host, url)


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("a b.tif", "a%20b.tif"),
        ("a+b.tif", "a%2Bb.tif"),
        ("a#b?c=d&e.tif", "a%23b%3Fc%3Dd%26e.tif"),
        ("Brașov/ü.tif", "Bra%C8%99ov/%C3%BC.tif"),
        ("100%25.tif", "100%2525.tif"),
        ("/a//b.tif", "/a//b.tif"),
        ("a/../b/./c..tif", "a/../b/./c..tif"),
        ("a~b_c-d.e(f)", "a~b_c-d.e%28f%29"),
    ],
)
def test_a_key_is_encoded_whole(key: str, path: str) -> None:
    """Every byte but the unreserved ones and the slash: a plus sign would be a space, a question mark a query."""
    assert USGS.url(key) == f"https://usgs-landsat.s3.us-west-2.amazonaws.com/{path}"
    assert USGS.key(f"s3://usgs-landsat/{key}") == key


@given(st.text(min_size=1, max_size=60).filter(lambda key: ".." not in key), st.sampled_from([USGS, DOTTED, MINIO]))
def test_a_link_leads_back_to_its_key(key: str, bucket: Bucket) -> None:
    """Whatever the key, its link is plain ASCII and means that key and no other."""
    url = bucket.url(key)

    assert bucket.key(url) == key
    assert re.fullmatch(r"https://[!-~]+", url)
    assert not set("?#+") & set(url)


@pytest.mark.parametrize(
    "href",
    [
        "https://usgs-landsat.s3.us-west-2.amazonaws.com/a/b%20c.tif",
        "https://usgs-landsat.s3.us-west-2.amazonaws.com/a/b+c.tif",
        "https://usgs-landsat.s3-us-west-2.amazonaws.com/a/b%20c.tif",
        "https://usgs-landsat.s3.dualstack.us-west-2.amazonaws.com/a/b%20c.tif",
        "https://usgs-landsat.s3.amazonaws.com/a/b%20c.tif",
        "https://s3.us-west-2.amazonaws.com/usgs-landsat/a/b%20c.tif",
        "https://s3.amazonaws.com/usgs-landsat/a/b%20c.tif",
        "s3://usgs-landsat/a/b c.tif",
    ],
)
def test_every_spelling_of_a_link_means_the_key(href: str) -> None:
    """Catalogues write Amazon's links in all the ways it ever documented."""
    assert USGS.key(href) == "a/b c.tif"


def test_a_plus_sign_is_itself_where_amazon_does_not_rule() -> None:
    """Only Amazon reads a plus sign in a path as a space."""
    assert MINIO.key("https://minio.example.org:9000/scenes/a+b.tif") == "a+b.tif"


@pytest.mark.parametrize(
    "href",
    [
        "https://usgs-landsat.s3.us-west-2.amazonaws.com.example.org/a.tif",
        "https://example.org/usgs-landsat.s3.us-west-2.amazonaws.com/a.tif",
        "https://usgs-landsat-2.s3.us-west-2.amazonaws.com/a.tif",
        "https://s3.us-west-2.amazonaws.com/usgs-landsat-2/a.tif",
        "https://usgs-landsat.s3.eu-west-1.amazonaws.com/a.tif",
        "http://usgs-landsat.s3.us-west-2.amazonaws.com/a.tif",
        "https://usgs-landsat.s3.us-west-2.amazonaws.com/a.tif?X-Amz-Signature=theirs",
        "s3://usgs-landsat-2/a.tif",
        "s3://usgs-landsat",
        "/data/usgs-landsat/a.tif",
    ],
)
def test_other_links_mean_none_of_its_objects(href: str) -> None:
    """Another bucket, another host, another region, plain http, or a link that its publisher has signed."""
    assert USGS.key(href) is None


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("", "0 bytes"),
        ("ü" * 513, "1026 bytes"),
        ("a/\ud800.tif", "not Unicode"),
        ("../other-bucket/secret.tif", "leads out of the bucket"),
        ("a/../../other-bucket/secret.tif", "leads out of the bucket"),
        ("a/./../../other-bucket/secret.tif", "leads out of the bucket"),
        ("a//../../other-bucket/secret.tif", "leads out of the bucket"),
    ],
)
def test_no_link_is_made_of_a_key_that_no_object_has(key: str, reason: str) -> None:
    """Neither one that S3 itself refuses, nor one that a store behind a proxy may find in another bucket."""
    with pytest.raises(ValueError, match=reason):
        USGS.url(key)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"name": "Scenes"}, "'Scenes'"),
        ({"name": "a"}, "'a'"),
        ({"name": "a/../b"}, "'a/../b'"),
        ({"name": "a..b"}, "'a..b'"),
        ({"endpoint": "https://a..b.org"}, "its endpoint's host is not a name"),
        ({"region": "Oregon"}, "'Oregon'"),
        ({"region": "us-west-2.example.org/"}, "'us-west-2.example.org/'"),
        ({"endpoint": "minio.example.org"}, "endpoint"),
        ({"endpoint": "https://someone:s3cret@minio.example.org"}, "endpoint"),
        ({"endpoint": "https://minio.example.org/path"}, "endpoint"),
    ],
)
def test_a_bucket_that_cannot_be_is_refused(changed: dict[str, str], named: str) -> None:
    """The message names the value, and how to write it; it repeats no endpoint, which may hold a password."""
    with pytest.raises(ValueError, match=re.escape(named)) as caught:
        Bucket(**{"name": "scenes", "region": "us-west-2", **changed})  # type: ignore[arg-type]

    assert "like" in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("stated", "bucket"),
    [
        ("scenes us-east-1 signed https://minio.example.org:9000", MINIO),
        (" scenes  us-east-1   signed ", Bucket(name="scenes", region="us-east-1", access="signed")),
        ("usgs-landsat us-west-2 requester-pays", USGS),
        ("scenes.example.org eu-central-1", DOTTED),
        (
            "scenes us-east-1 https://minio.example.org",
            Bucket(name="scenes", region="us-east-1", endpoint="https://minio.example.org"),
        ),
    ],
)
def test_a_deployment_writes_a_bucket_in_a_line(stated: str, bucket: Bucket) -> None:
    """Name and region, then how it is read and where it is, each only where it is not what most buckets are."""
    assert bucket_of(stated) == bucket


@pytest.mark.parametrize(
    "stated",
    [
        "",
        "scenes",
        "scenes us-east-1 secretly",
        "scenes us-east-1 signed anonymous",
        "scenes us-east-1 https://minio.example.org signed",
        "scenes us-east-1 signed https://minio.example.org more",
        "Scenes us-east-1",
        "scenes us-east-1 signed https://someone:s3cret@minio.example.org",
    ],
)
def test_a_line_that_says_something_else_is_refused(stated: str) -> None:
    """The message shows how to write it, and repeats no endpoint."""
    with pytest.raises(ValueError, match="write") as caught:
        bucket_of(stated)

    assert "s3cret" not in str(caught.value)
