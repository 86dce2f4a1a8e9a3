"""Where things live: what each variable does, what is so without it, and what is refused."""

import os
from pathlib import Path

import pytest
import yaml

from mrv_assets.errors import BadInputError, SettingError
from mrv_assets.settings import (
    DAGSTER_YAML,
    DEMO_PROGRAM,
    Settings,
    current,
    demo_settings,
    ensure_dagster_home,
    simulated_settings,
    subscription_key,
    variables_for,
)
from mrv_assets.stac.open import opened


def test_on_a_fresh_clone_the_demo_is_current(tmp_path: Path) -> None:
    """`dagster dev` works before anything is configured, and nothing is written into the package."""
    settings = current({}, tmp_path)

    assert settings.program_path == DEMO_PROGRAM
    assert settings.lake_path == tmp_path / "mrv-demo" / "lake"
    assert settings.dagster_home == tmp_path / "mrv-demo" / "dagster"
    assert DEMO_PROGRAM.is_file()


def test_a_programme_in_the_current_folder_goes_before_the_demo(tmp_path: Path) -> None:
    """Its lake is beside it."""
    (tmp_path / "program.yaml").touch()

    settings = current({}, tmp_path)

    assert settings.program_path == tmp_path / "program.yaml"
    assert settings.lake_path == tmp_path / "lake"
    assert settings.dagster_home == tmp_path / "dagster"


def test_a_named_programme_goes_before_all(tmp_path: Path) -> None:
    """Relative to the current folder; whether it exists is for the programme's reader to say."""
    (tmp_path / "program.yaml").touch()

    settings = current({"MRV_PROGRAM": "forests/mine.yaml"}, tmp_path)

    assert settings.program_path == tmp_path / "forests" / "mine.yaml"
    assert settings.lake_path == tmp_path / "forests" / "lake"


def test_the_environment_of_the_process_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables and folder, as every command and Dagster process has them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MRV_PROGRAM", "mine.yaml")

    settings = current()

    assert settings.program_path == tmp_path / "mine.yaml"


def test_a_named_lake_has_its_dagster_home_beside_it(tmp_path: Path) -> None:
    """State of Dagster and evidence of the lake move together."""
    settings = current({"MRV_LAKE": "big/disk/lake"}, tmp_path)

    assert settings.lake_path == tmp_path / "big" / "disk" / "lake"
    assert settings.dagster_home == tmp_path / "big" / "disk" / "dagster"


def test_home_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An .env file or a systemd unit does not expand ~ as a shell does."""
    monkeypatch.setenv("HOME", str(tmp_path / "me"))

    settings = current({"MRV_PROGRAM": "~/p.yaml", "MRV_LAKE": "~/lake"}, tmp_path)

    assert settings.program_path == tmp_path / "me" / "p.yaml"
    assert settings.lake_path == tmp_path / "me" / "lake"


def test_the_other_variables_are_kept(tmp_path: Path) -> None:
    """Dagster's own home, the scheduler, the key, and how many threads."""
    environ = {
        "DAGSTER_HOME": "/srv/dagster",
        "MRV_DASK_ADDRESS": "tcp://scheduler:8786",
        "MRV_SIGNING_KEY": "key.pem",
        "MRV_WORKERS": "12",
    }

    settings = current(environ, tmp_path)

    assert settings.dagster_home == Path("/srv/dagster")
    assert settings.dask_address == "tcp://scheduler:8786"
    assert settings.signing_key == "key.pem"
    assert settings.workers == 12


def test_an_empty_variable_is_an_unset_one(tmp_path: Path) -> None:
    """Compose files and CI set empty strings for what is not given."""
    names = ("MRV_PROGRAM", "MRV_LAKE", "MRV_WORKERS", "MRV_DASK_ADDRESS", "MRV_SIGNING_KEY", "DAGSTER_HOME")

    settings = current(dict.fromkeys(names, ""), tmp_path)

    assert settings == current({}, tmp_path)
    assert settings.workers == os.cpu_count()
    assert (settings.dask_address, settings.signing_key) == (None, None)


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    """Settings end up in logs and stack traces."""
    settings = current({"MRV_SIGNING_KEY": "hunter2", "MRV_DASK_ADDRESS": "tls://me:hunter2@host:1"}, tmp_path)

    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("MRV_LAKE", "s3://bucket/lake", "lakes on S3 are not supported yet"),
        ("MRV_LAKE", "https://example.org/lake", "a lake is a folder"),
        ("MRV_WORKERS", "0", "not a number of threads"),
        ("MRV_WORKERS", "-2", "not a number of threads"),
        ("MRV_WORKERS", "many", "not a number of threads"),
        ("MRV_WORKERS", "1.5", "not a number of threads"),
        ("DAGSTER_HOME", "dagster", "absolute path"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(tmp_path: Path, variable: str, value: str, says: str) -> None:
    """The variable, its value, what is wrong and what to do."""
    with pytest.raises(SettingError, match=says) as caught:
        current({variable: value}, tmp_path)

    assert isinstance(caught.value, BadInputError)
    assert str(caught.value).startswith(f"{variable}={value}: ")


def test_a_refused_address_does_not_repeat_its_password(tmp_path: Path) -> None:
    """Keys are put into S3 addresses, signatures into queries."""
    with pytest.raises(SettingError) as caught:
        current({"MRV_LAKE": "s3://me:hunter2@bucket/lake?signature=hunter3"}, tmp_path)

    assert "hunter" not in str(caught.value)


def test_the_demo_and_the_ui_open_the_same_lake(tmp_path: Path) -> None:
    """`make demo`, then `make ui`: with MRV_LAKE set as well as without."""
    for environ in ({}, {"MRV_LAKE": "/data/demo/lake"}):
        assert demo_settings(None, environ, tmp_path) == current(environ, tmp_path)


def test_the_demo_stays_out_of_another_programmes_lake(tmp_path: Path) -> None:
    """MRV_LAKE is the lake of the programme that MRV_PROGRAM, or the folder, names."""
    environ = {"MRV_PROGRAM": "mine.yaml", "MRV_LAKE": "/data/mine"}

    settings = demo_settings(None, environ, tmp_path)

    assert settings.program_path == DEMO_PROGRAM
    assert settings.lake_path == tmp_path / "mrv-demo" / "lake"


def test_the_demo_goes_where_it_is_told(tmp_path: Path) -> None:
    """Lake and Dagster home below the folder, whatever the environment says of the lake."""
    settings = demo_settings(Path("there"), {"MRV_LAKE": "/data/mine"}, tmp_path)

    assert settings.lake_path == tmp_path / "there" / "lake"
    assert settings.dagster_home == tmp_path / "there" / "dagster"


def test_the_simulated_programme_is_beside_the_demos_lake_with_a_dagster_home_of_its_own(tmp_path: Path) -> None:
    """Both have assets of the same names, so one home would show one's months as the other's."""
    for environ in ({}, {"DAGSTER_HOME": "/srv/dagster"}):
        settings = simulated_settings(demo_settings(Path("there"), environ, tmp_path))

        folder = tmp_path / "there" / "simulated"
        assert settings.program_path == folder / "program.yaml"
        assert settings.lake_path == folder / "lake"
        assert settings.dagster_home == folder / "dagster"


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"DAGSTER_HOME": "/srv/dagster"},
        {"MRV_PROGRAM": "mine.yaml", "MRV_LAKE": "/data/mine"},
        {"MRV_PROGRAM": "mine.yaml", "MRV_LAKE": "s3://bucket/mine", "MRV_WORKERS": "3"},
    ],
)
def test_commands_get_the_variables_they_need_and_no_others(environ: dict[str, str], tmp_path: Path) -> None:
    """What a page prints before a command makes that command work on what the page shows, from the same shell."""
    demo = demo_settings(None, environ, tmp_path)
    for settings in (demo, simulated_settings(demo)):
        needed = variables_for(settings, environ, tmp_path)

        assert current({**environ, **needed}, tmp_path) == settings
    assert ("DAGSTER_HOME" in needed) == ("DAGSTER_HOME" in environ)
    assert (variables_for(demo, environ, tmp_path) == {}) == ("MRV_PROGRAM" not in environ)


def some_settings(home: Path) -> Settings:
    """Settings with a Dagster home."""
    return Settings(program_path=DEMO_PROGRAM, lake_path=home.parent / "lake", dagster_home=home)


def test_a_new_dagster_home_gets_our_instance_settings(tmp_path: Path) -> None:
    """Dagster in this process and its children then keeps its state there."""
    home = tmp_path / "deep" / "dagster"

    given = ensure_dagster_home(some_settings(home))

    assert given == home
    assert (home / "dagster.yaml").read_bytes() == DAGSTER_YAML.read_bytes()
    assert os.environ["DAGSTER_HOME"] == str(home)


def test_a_dagster_home_in_use_is_left_as_it_is(tmp_path: Path) -> None:
    """With its own dagster.yaml, or deliberately without one."""
    for name in ("dagster.yaml", "storage"):
        home = tmp_path / name
        home.mkdir()
        (home / name).write_text("mine")

        ensure_dagster_home(some_settings(home))

        assert [path.name for path in home.iterdir()] == [name]
        assert (home / name).read_text() == "mine"


def test_making_it_ready_again_changes_nothing(tmp_path: Path) -> None:
    """Every verb does it."""
    home = tmp_path / "dagster"
    ensure_dagster_home(some_settings(home))
    (home / "dagster.yaml").write_text("edited: true")

    ensure_dagster_home(some_settings(home))

    assert (home / "dagster.yaml").read_text() == "edited: true"


def test_a_dagster_home_that_cannot_be_is_a_message(tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "dagster").touch()

    with pytest.raises(SettingError, match=r"DAGSTER_HOME=.*cannot be made ready"):
        ensure_dagster_home(some_settings(tmp_path / "dagster"))


def test_our_instance_settings_hold_no_relative_path() -> None:
    """Dagster would resolve it against the current folder, and state would land in many places."""
    settings = yaml.safe_load(DAGSTER_YAML.read_text())

    text = DAGSTER_YAML.read_text()
    assert settings["telemetry"] == {"enabled": False}
    assert "base_dir" not in text
    assert "env:" not in text


def test_hosts_are_named_with_commas_between(tmp_path: Path) -> None:
    """Small letters and spaces do not matter; without the variable there are none."""
    settings = current({"MRV_ALLOW_HOSTS": " Data.Example.org, *.blob.example.net ,"}, tmp_path)

    assert settings.hosts == ("data.example.org", "*.blob.example.net")
    assert current({}, tmp_path).hosts == ()


@pytest.mark.parametrize(
    "host", ["*", "https://data.example.org", "data.example.org/path", "localhost", "a b.org", f"{'a.' * 130}org"]
)
def test_what_is_no_host_name_is_refused(tmp_path: Path, host: str) -> None:
    """One star would allow all of the internet, and an address is not a name."""
    with pytest.raises(SettingError, match="not a host name"):
        current({"MRV_ALLOW_HOSTS": host}, tmp_path)


@pytest.mark.parametrize(("stated", "allowed"), [("", False), ("0", False), ("1", True)])
def test_this_machine_is_read_from_only_where_it_is_said(tmp_path: Path, stated: str, allowed: bool) -> None:
    """A catalogue must not reach services that listen on this machine."""
    assert current({"MRV_ALLOW_LOOPBACK": stated}, tmp_path).loopback is allowed


def test_anything_but_0_and_1_is_refused(tmp_path: Path) -> None:
    """The word "no" would otherwise be a yes."""
    with pytest.raises(SettingError, match="neither 0 nor 1"):
        current({"MRV_ALLOW_LOOPBACK": "no"}, tmp_path)


def test_buckets_are_named_with_commas_between(tmp_path: Path) -> None:
    """Each as it is written, whatever the spaces; what is no bucket is refused where scenes are read."""
    settings = current(
        {"MRV_S3_BUCKETS": "mine  eu-central-1 signed , usgs-landsat us-west-2 requester-pays"}, tmp_path
    )

    assert settings.buckets == ("mine eu-central-1 signed", "usgs-landsat us-west-2 requester-pays")
    assert current({}, tmp_path).buckets == ()


def test_what_is_no_bucket_is_refused_with_the_cure() -> None:
    """Before anything is asked of anybody."""
    with pytest.raises(SettingError, match="MRV_S3_BUCKETS=nowhere: write a bucket like"):
        opened("earth-search", buckets=("nowhere",))


def test_a_subscription_key_is_not_part_of_the_settings(tmp_path: Path) -> None:
    """Settings become a resource's configuration, which the browser shows."""
    environ = {"MRV_PC_SUBSCRIPTION_KEY": "s3cr3t"}

    assert subscription_key(environ) == "s3cr3t"
    assert "s3cr3t" not in str(vars(current(environ, tmp_path)))
