import gzip
import io
import tarfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from nextbasket.errors import InputError
from nextbasket.ingest.naming import landing_key
from nextbasket.lake.base import Zone


def _keys(home: Any) -> list[str]:
    return [ref.key for ref in home.lake.list(Zone.LANDING)]


def _zip(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _tar(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("orders.csv", "orders/orders.csv"),
        ("Orders.CSV", "orders/Orders.CSV"),
        ("order_products__prior.csv", "order_products__prior/order_products__prior.csv"),
        ("orders/2026-11-22.csv", "orders/2026-11-22.csv"),
        ("orders/day=2026-11-22/part-1.csv.gz", "orders/day=2026-11-22/part-1.csv.gz"),
        ("orders_2026-11-22.csv", "orders/orders_2026-11-22.csv"),
        ("orders-20261122.csv.gz", "orders/orders-20261122.csv.gz"),
        ("daily/orders.csv", "orders/orders.csv"),
        ("my shop/Sales 2026.csv", "my_shop/Sales 2026.csv"),
        ("Online Retail.parquet", "online_retail/Online Retail.parquet"),
    ],
)
def test_a_file_lands_under_the_table_its_name_says(path: str, key: str) -> None:
    assert landing_key(PurePosixPath(path)) == key


def test_the_table_can_be_named(home: Any) -> None:
    home.land(home.source({"sales.csv": "a,b\n1,2\n"}), table="Online Retail")
    assert _keys(home) == ["online_retail/sales.csv"]


def test_raw_files_are_kept_byte_for_byte(home: Any) -> None:
    content = b"\xef\xbb\xbforder_id;x\r\n1;\xff\r\n"
    home.land(home.source({"orders.csv": content, "aisles.csv.gz": gzip.compress(b"aisle_id\n1\n")}))

    assert _keys(home) == ["aisles/aisles.csv.gz", "orders/orders.csv"]
    assert (home.path / "landing/orders/orders.csv").read_bytes() == content


@pytest.mark.parametrize("name", ["instacart.zip", "instacart.tar.gz", "instacart.tgz"])
def test_archives_are_unpacked_without_their_wrapper_and_junk(home: Any, name: str) -> None:
    files = {
        "instacart_2017_05_01/orders.csv": b"order_id\n1\n",
        "instacart_2017_05_01/._orders.csv": b"junk",
        "__MACOSX/instacart_2017_05_01/._aisles.csv": b"junk",
        "instacart_2017_05_01/.DS_Store": b"junk",
        "instacart_2017_05_01/readme.md": b"text",
        "instacart_2017_05_01/order_products__prior.csv": b"order_id\n2\n",
    }
    content = _zip(files) if name.endswith("zip") else _tar(files)
    report = home.land(home.source({name: content}) / name)

    assert _keys(home) == ["order_products__prior/order_products__prior.csv", "orders/orders.csv"]
    assert report.ignored == (f"{name}: instacart_2017_05_01/readme.md",)


def test_a_zip_of_one_file_zips_is_unpacked(home: Any) -> None:
    inner = _zip({"orders.csv": b"order_id\n1\n", "__MACOSX/._orders.csv": b"junk"})
    path = home.source({"competition.zip": _zip({"orders.csv.zip": inner})}) / "competition.zip"
    home.land(path)

    assert _keys(home) == ["orders/orders.csv"]


def test_a_content_is_landed_once_and_another_of_its_name_gets_its_own_key(home: Any) -> None:
    home.land(home.source({"orders.csv": "order_id\n1\n"}))
    again = home.land(home.source({"orders.csv": "order_id\n1\n", "orders/copy.csv": "order_id\n1\n"}))
    other = home.land(home.source({"orders.csv": "order_id\n2\n"}))

    assert [file.key for file in again.known] == ["orders/orders.csv", "orders/orders.csv"]
    assert again.landed == ()
    (file,) = other.landed
    assert file.key == f"orders/orders-{file.sha256[:10]}.csv"
    assert (home.path / "landing/orders/orders.csv").read_text() == "order_id\n1\n"


def test_an_archive_landed_again_is_known(home: Any) -> None:
    path = home.source({"shop.tgz": _tar({"orders.csv": b"order_id\n1\n"})}) / "shop.tgz"
    home.land(path)

    assert [file.known for file in home.land(path).files] == [True]


@pytest.mark.parametrize("name", ["../orders.csv", "/etc/orders.csv", "a/../../orders.csv", "C:\\orders.csv"])
def test_unsafe_names_in_an_archive_are_refused(home: Any, name: str) -> None:
    path = home.source({"shop.tar.gz": _tar({"aisles.csv": b"aisle_id\n", name: b"order_id\n"})}) / "shop.tar.gz"

    with pytest.raises(InputError, match=r"shop\.tar\.gz holds the unsafe name"):
        home.land(path)
    assert _keys(home) == []


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "csv.gz"])
def test_a_bomb_is_refused_before_anything_lands(home: Any, kind: str) -> None:
    large = b"0\n" * 1_000_000
    content = {
        "zip": _zip({"orders.csv": large}),
        "tar.gz": _tar({"orders.csv": large}),
        "csv.gz": gzip.compress(large),
    }
    path = home.source({f"orders.{kind}": content[kind]}) / f"orders.{kind}"

    with pytest.raises(InputError, match=r"unpacks to more than 0\.001 GB.*landing\.largest_member_gb"):
        home.land(path, largest=10**6)
    assert _keys(home) == []


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_damaged_archive_lands_nothing(home: Any, kind: str) -> None:
    files = {"aisles.csv": b"aisle_id\n1\n", "orders.csv": bytes(range(256)) * 2000}
    content = _zip(files) if kind == "zip" else _tar(files)
    path = home.source({f"shop.{kind}": content[: len(content) * 2 // 3]}) / f"shop.{kind}"

    with pytest.raises(InputError, match=rf"shop\.{kind} is (cut off|damaged)"):
        home.land(path)
    assert _keys(home) == []


def test_one_fault_among_many_files_lands_nothing_and_all_faults_are_said(home: Any) -> None:
    whole = gzip.compress(b"order_id\n1\n" * 100)
    source = home.source({"orders.csv.gz": whole[:-9], "aisles.csv": "aisle_id\n", "products.zip": b"no zip"})

    with pytest.raises(InputError) as error:
        home.land(source)
    assert len(str(error.value).splitlines()) == 2
    assert _keys(home) == []


@pytest.mark.parametrize(("name", "text"), [("nothing", "there is no file"), ("x.docx", "cannot land")])
def test_what_cannot_be_landed_is_named(home: Any, name: str, text: str) -> None:
    source = home.source({"x.docx": b"PK"})
    with pytest.raises(InputError, match=text):
        home.land(source / name)


def test_a_folder_without_tables_is_named(home: Any) -> None:
    with pytest.raises(InputError, match="there is no file of a known form in"):
        home.land(home.source({"readme.md": "hello"}))


def test_a_large_member_is_not_held_in_memory(home: Any) -> None:
    import resource

    block = b"1,2,3,4\n" * 131_072
    path: Path = home.source({"x": ""}) / "shop.zip"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("orders.csv", "w") as member,
    ):
        for _ in range(200):
            member.write(block)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    home.land(path)

    assert (home.path / "landing/orders/orders.csv").stat().st_size == 200 << 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10
