"""The programme file: what it may say, and what a user is told when it says something else."""

import pickle
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, get_args

import pytest
from program_builders import a_document, a_feature, a_geojson, a_program_file

from mrv_assets.errors import Problem, ProgramError
from mrv_assets.missions.bandpass import BANDPASSES
from mrv_assets.missions.registry import MISSIONS
from mrv_assets.programme.file import check_program, load_program
from mrv_assets.programme.model import Program


def problems_of(path: Path, read: Callable[[Path], Program] = load_program) -> dict[str, Problem]:
    """The problems reading a file tells of, by field; each field once."""
    with pytest.raises(ProgramError) as caught:
        read(path)
    problems = caught.value.problems
    assert len({problem.field for problem in problems}) == len(problems)
    return {problem.field: problem for problem in problems}


def test_a_short_programme_has_the_documented_defaults(tmp_path: Path) -> None:
    """Name, parcels, months and one mission are enough."""
    path = a_program_file(tmp_path)

    program = load_program(path)

    assert program.program == "sw-romania-forest"
    assert (program.grid.crs, program.grid.resolution_m) == ("utm", 10)
    assert program.gate.model_dump() == {
        "min_coverage": 0.65, "cloud_probability": 0.15, "dilation_px": 3, "min_scene_clear": 0.0,
    }  # fmt: skip
    assert program.substitution == ("sentinel2",)
    assert (program.composite, program.baseline, program.reporting, program.tiles) == ("mean", None, {}, {})
    assert (program.bandpass, program.speckle, program.orbit_direction) == ("none", "lee7", "descending")
    assert program.snow_is_clear is False


def test_everything_a_programme_may_say_is_read(tmp_path: Path) -> None:
    """What stands in the file is what the models hold; a whole number is a fraction too."""
    path = a_program_file(
        tmp_path,
        a_document(
            baseline={"start": "2017-01", "end": "2017-12"},
            reporting={"framework": "GHG Protocol LSR v1.0", "scope": "3"},
            grid={"crs": "utm", "resolution_m": 20},
            gate={"min_coverage": 1, "cloud_probability": 0.4, "dilation_px": 16, "min_scene_clear": 0.1},
            substitution=["sentinel2"],
            composite="median",
            bandpass="hls-s2a",
            speckle="none",
            orbit_direction="ascending",
            snow_is_clear=True,
            tiles={"plot-7": "34VFM"},
        ),
    )

    program = load_program(path)

    assert program.baseline is not None
    assert (program.baseline.start, program.baseline.end) == ("2017-01", "2017-12")
    assert program.reporting == {"framework": "GHG Protocol LSR v1.0", "scope": "3"}
    assert program.grid.resolution_m == 20
    assert program.gate.min_coverage == 1.0
    assert program.gate.dilation_px == 16
    assert (program.composite, program.tiles) == ("median", {"plot-7": "34VFM"})
    assert (program.bandpass, program.speckle, program.orbit_direction) == ("hls-s2a", "none", "ascending")
    assert program.snow_is_clear is True


def test_what_a_programme_may_name_is_what_there_is() -> None:
    """Every mission, every adjustment and every filter can be asked for, and nothing else."""
    fields = Program.model_fields

    assert get_args(fields["bandpass"].annotation) == ("none", *BANDPASSES)
    assert get_args(fields["speckle"].annotation) == ("none", "lee7")
    assert tuple(MISSIONS) == ("sentinel2", "landsat", "sentinel1")
    assert all(name == mission.name for name, mission in MISSIONS.items())


def test_an_adjustment_of_a_mission_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    """Whoever asks for it would believe that it was made."""
    source = {"catalog": "earth-search", "collection": "landsat-c2-l2"}

    with pytest.raises(ProgramError, match=r"bandpass.*it adjusts sentinel2, which is not among the missions"):
        load_program(a_program_file(tmp_path, a_document(missions={"landsat": source}, bandpass="hls-s2a")))


def test_paths_are_seen_from_the_programme_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A programme means the same from wherever it is read."""
    source = {"catalog": "../scenes", "collection": "c"}
    (tmp_path / "here").mkdir()
    a_program_file(tmp_path / "here", a_document(parcels="in/p.geojson", missions={"sentinel2": source}))
    monkeypatch.chdir(tmp_path)

    program = load_program(Path("here/program.yaml"))

    assert program.parcels_path == tmp_path.resolve() / "here" / "in" / "p.geojson"
    assert program.catalog_at("sentinel2") == str(tmp_path.resolve() / "scenes")


@pytest.mark.parametrize("catalog", ["usgs", "https://stac.example.org/v1", "http://127.0.0.1:8080"])
def test_an_api_is_no_folder(tmp_path: Path, catalog: str) -> None:
    """A preset or an address stays as it is written; over http only for this very machine."""
    source = {"catalog": catalog, "collection": "c"}
    program = load_program(a_program_file(tmp_path, a_document(missions={"sentinel2": source})))

    assert program.catalog_at("sentinel2") == catalog


@pytest.mark.parametrize(("stated", "meant"), [({}, "ranges"), ({"integrity": "full"}, "full")])
def test_integrity_is_of_the_ranges_unless_full_is_asked_for(
    tmp_path: Path, stated: dict[str, str], meant: str
) -> None:
    """Whole files are a third more to read."""
    source = {"catalog": "usgs", "collection": "c", **stated}
    program = load_program(a_program_file(tmp_path, a_document(missions={"sentinel2": source})))

    assert program.missions["sentinel2"].integrity == meant


def test_definitions_read_the_programme_file_only(tmp_path: Path) -> None:
    """Parcels and catalogue may be elsewhere, or not exist yet, when Dagster loads."""
    source = {"catalog": "no-such-folder", "collection": "c"}
    path = a_program_file(tmp_path, a_document(parcels="no-such-file.geojson", missions={"sentinel2": source}))

    program = load_program(path)

    assert program.parcels == "no-such-file.geojson"


def test_reading_a_programme_brings_no_numerical_stack() -> None:
    """Dagster imports this in every process it starts; geopandas and numba cost seconds there."""
    code = (
        "import sys, mrv_assets.programme.model, mrv_assets.settings;"
        "print({'numba', 'xarray', 'geopandas', 'pandas', 'dask'} & set(sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"program": "Wald"}, "program", "small letters"),
        ({"program": "-wald"}, "program", "small letters"),
        ({"program": "a" * 64}, "program", "63"),
        ({"program": None}, "program", "missing"),
        ({"parcels": ""}, "parcels", "GeoJSON or GeoParquet"),
        ({"months": None}, "months", "such as {start: 2018-01, end: 2018-12}"),
        ({"months": 2018}, "months", "mapping"),
        ({"months": {"start": "2018-13", "end": "2019-01"}}, "months.start", "not a month"),
        ({"months": {"start": "2018-1", "end": "2019-01"}}, "months.start", "not a month"),
        ({"months": {"start": "٢٠١٨-01", "end": "2019-01"}}, "months.start", "not a month"),
        ({"months": {"start": 201801, "end": "2019-01"}}, "months.start", "not a month"),
        ({"months": {"start": "2018-01", "end": None}}, "months.end", "not a month"),
        ({"months": {"start": "2018-01"}}, "months.end", "missing"),
        ({"months": {"start": "2018-02", "end": "2018-01"}}, "months", "after its end 2018-01"),
        ({"baseline": {"start": "2017-02", "end": "2017-01"}}, "baseline", "after its end 2017-01"),
        ({"reporting": {"scope": 3}}, "reporting.scope", "quotes"),
        ({"grid": {"crs": "EPSG:4326"}}, "grid.crs", "export grid"),
        ({"grid": {"resolution_m": 25}}, "grid.resolution_m", "10, 20, 30 or 60"),
        ({"missions": {}}, "missions", "at least 1"),
        ({"gate": {"min_coverage": 65}}, "gate.min_coverage", "less than or equal to 1"),
        ({"gate": {"min_coverage": -0.1}}, "gate.min_coverage", "greater than or equal to 0"),
        ({"gate": {"min_coverage": float("nan")}}, "gate.min_coverage", "finite"),
        ({"gate": {"min_coverage": True}}, "gate.min_coverage", "number"),
        ({"gate": {"cloud_probability": "high"}}, "gate.cloud_probability", "number"),
        ({"gate": {"min_scene_clear": 1.01}}, "gate.min_scene_clear", "from 0 to 1"),
        ({"gate": {"dilation_px": 17}}, "gate.dilation_px", "from 0 to 16"),
        ({"gate": {"dilation_px": 2.5}}, "gate.dilation_px", "whole pixels"),
        ({"composite": "max"}, "composite", "mean or median"),
        ({"bandpass": "hls"}, "bandpass", "hls-s2a"),
        ({"speckle": "lee5"}, "speckle", "lee7"),
        ({"orbit_direction": "up"}, "orbit_direction", "ascending"),
        ({"snow_is_clear": "yes"}, "snow_is_clear", "true"),
        ({"tiles": {"plot-7": "34IER"}}, "tiles.plot-7", "not a name of the Sentinel-2 MGRS grid"),
        ({"tiles": {"plot-7": "34AER"}}, "tiles.plot-7", "not a name of the Sentinel-2 MGRS grid"),
        ({"tiles": {"plot-7": "34TSR"}}, "tiles.plot-7", "zone 34 has the columns"),
        ({"tiles": {7: "34TER"}}, "tiles.7", "quotes"),
        ({"substitution": ["sentinel2", 2]}, "substitution[1]", "order"),
    ],
)
def test_a_wrong_value_is_named_with_its_cure(tmp_path: Path, changes: Any, field: str, says: str) -> None:
    """The message has the field's path, what is wrong or what to write, and is the only one."""
    path = a_program_file(tmp_path, a_document(**changes))

    problems = problems_of(path)

    assert list(problems) == [field]
    assert says in str(problems[field])


@pytest.mark.parametrize(
    ("catalog", "says"),
    [
        ("http://stac.example.org", "not an https URL"),
        ("s3://bucket/catalogue", "not an https URL"),
        ("https://", "not an https URL"),
        ("https://[::1", "not a URL"),
        ("  ", "empty"),
    ],
)
def test_a_catalogue_is_a_preset_an_https_address_or_a_path(tmp_path: Path, catalog: str, says: str) -> None:
    """Anything else is refused where it stands, not when scenes are searched."""
    source = {"catalog": catalog, "collection": "c"}
    path = a_program_file(tmp_path, a_document(missions={"sentinel2": source}))

    problems = problems_of(path)

    assert says in problems["missions.sentinel2.catalog"].reason


def test_a_password_in_a_catalogues_address_is_refused_and_not_repeated(tmp_path: Path) -> None:
    """The programme file is copied into records and logs; secrets have no place in it or in the message."""
    source = {"catalog": "https://me:hunter2@stac.example.org", "collection": "c"}
    path = a_program_file(tmp_path, a_document(missions={"sentinel2": source}))

    with pytest.raises(ProgramError) as caught:
        load_program(path)

    assert "user name or password" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "field", "nearest"),
    [
        ({"compostie": "mean"}, "compostie", "composite"),
        ({"gate": {"min_covrage": 0.5}}, "gate.min_covrage", "min_coverage"),
        ({"baseline": {"start": "2017-01", "end": "2017-02", "ends": "x"}}, "baseline.ends", "end"),
        (
            {"missions": {"sentinel2": {"catalog": "usgs", "collection": "c", "colection": "c"}}},
            "missions.sentinel2.colection",
            "collection",
        ),
    ],
)
def test_an_unknown_key_suggests_the_nearest(tmp_path: Path, changes: Any, field: str, nearest: str) -> None:
    """A misspelt threshold must not silently be its default."""
    path = a_program_file(tmp_path, a_document(**changes))

    problems = problems_of(path)

    assert problems[field].cure.startswith(f"Did you mean {nearest}?")


def test_an_unknown_mission_is_told_the_known_ones(tmp_path: Path) -> None:
    """Missions are data; a name without data is a mistake."""
    source = {"catalog": "usgs", "collection": "c"}
    path = a_program_file(tmp_path, a_document(missions={"sentinel3": source}))

    problems = problems_of(path)

    assert list(problems) == ["missions.sentinel3"]
    assert problems["missions.sentinel3"].cure.startswith("Did you mean sentinel2?")


@pytest.mark.parametrize(
    ("order", "says"),
    [
        ([], "lacks sentinel2"),
        (["landsat", "sentinel2"], "missions lacks landsat"),
        (["sentinel2", "sentinel2"], "repeats sentinel2"),
    ],
)
def test_substitution_orders_exactly_the_missions(tmp_path: Path, order: list[str], says: str) -> None:
    """A mission that is never reached, or an order that names what is not there, is no plan."""
    path = a_program_file(tmp_path, a_document(substitution=order))

    problems = problems_of(path)

    assert list(problems) == ["substitution"]
    assert says in problems["substitution"].reason


def test_two_missions_need_an_order(tmp_path: Path) -> None:
    """Which mission stands in for which is the reporter's decision, not the file's line order."""
    source = {"catalog": "usgs", "collection": "c"}
    path = a_program_file(tmp_path, a_document(missions={"sentinel2": source, "sentinel3": source}))

    problems = problems_of(path)

    assert problems["substitution"].reason == "it is missing"


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    """One run of the command is enough to mend a file, whatever kinds of mistakes it has."""
    path = a_program_file(
        tmp_path,
        "program: Wald\n"
        "months: {start: 2018-13, end: 2018-12}\n"
        "months: {start: 2018-12, end: 2018-01}\n"
        "missions: {sentinel2: {catalog: http://x.org}, radar: {catalog: usgs, collection: c}}\n"
        "substitution: [sentinel2, landsat]\n"
        "gate: {min_coverage: 65}\n"
        "colour: red\n",
    )

    with pytest.raises(ProgramError) as caught:
        load_program(path)

    assert sorted(problem.field for problem in caught.value.problems) == [
        "colour",
        "gate.min_coverage",
        "missions.radar",
        "missions.sentinel2.catalog",
        "missions.sentinel2.collection",
        "months",
        "months",
        "parcels",
        "program",
        "substitution",
    ]
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{path}: 10 problems"
    assert len(lines) == 11
    assert any(line.startswith("  gate.min_coverage = 65: ") for line in lines)


def test_a_key_written_twice_is_told_with_its_lines(tmp_path: Path) -> None:
    """YAML would take the last one and say nothing."""
    text = "gate:\n  min_coverage: 0.5\n  dilation_px: 3\n  min_coverage: 0.6\n"
    path = a_program_file(tmp_path, text + a_program_file(tmp_path).read_text())

    problems = problems_of(path)

    assert list(problems) == ["gate.min_coverage"]
    assert "lines 2 and 4" in problems["gate.min_coverage"].reason


@pytest.mark.parametrize("day", ["2018-01-05", "2018-02-30", "2018-01-05 10:00:00"])
def test_a_day_is_not_a_month(tmp_path: Path, day: str) -> None:
    """YAML makes dates of days, and fails on those that do not exist; the user sees what was written."""
    path = a_program_file(tmp_path, a_program_file(tmp_path).read_text().replace("2018-01", day))

    problems = problems_of(path)

    assert problems["months.start"].value == day
    assert "a day, not a month" in problems["months.start"].reason


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("program: a\n  months: [1", "line 2"),
        ("program: [a\n", "line 2"),
        ("program: a\nparcels: !!python/object:os.system x", "line 2, column 10"),
        ("a: 1\nb: \x01", "line 2"),
        ("? [a]\n: 3", "line 1"),
        ("program: 0x_", "quotes"),
        ("[" * 5000, "nested too deep"),
        ("", "empty"),
        ("- program", "not a mapping"),
        ("# " + "x" * 1_000_000, "larger than 1 MB"),
    ],
)
def test_bad_yaml_is_a_message_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    """A file that is no YAML, or no programme at all, is one message and never a stack trace."""
    path = a_program_file(tmp_path, text)

    with pytest.raises(ProgramError) as caught:
        load_program(path)

    [problem] = caught.value.problems
    assert says in str(problem)


def test_a_file_of_other_bytes_is_a_message(tmp_path: Path) -> None:
    """Latin-1 umlauts are the usual case."""
    path = tmp_path / "program.yaml"
    path.write_bytes(b"program: a\nparcels: W\xe4lder.geojson\n")

    with pytest.raises(ProgramError, match="line 2: a character cannot be read"):
        load_program(path)


def test_a_missing_file_says_how_to_name_one(tmp_path: Path) -> None:
    """The first thing a new user meets."""
    with pytest.raises(ProgramError, match=r"there is no such file\. Set MRV_PROGRAM"):
        load_program(tmp_path / "program.yaml")


def test_a_folder_is_no_programme(tmp_path: Path) -> None:
    """What cannot be read is a message too."""
    with pytest.raises(ProgramError, match="cannot be read"):
        load_program(tmp_path)


def test_partitions_begin_with_the_earlier_of_baseline_and_months(tmp_path: Path) -> None:
    """Baseline months are materialized like all others."""
    path = a_program_file(
        tmp_path,
        a_document(months={"start": "2018-11", "end": "2019-02"}, baseline={"start": "2018-10", "end": "2018-10"}),
    )

    program = load_program(path)

    assert (program.first_month, program.last_month) == ("2018-10", "2019-02")
    assert program.partition_months == ("2018-10", "2018-11", "2018-12", "2019-01", "2019-02")


@pytest.mark.parametrize(
    ("day", "last"),
    [(date(2019, 1, 31), "2018-12"), (date(2019, 2, 1), "2019-01"), (date(2030, 1, 1), "2019-02")],
)
def test_a_month_not_yet_over_is_no_partition(tmp_path: Path, day: date, last: str) -> None:
    """Half a month would be a proxy that changes when it is derived again."""
    program = load_program(a_program_file(tmp_path, a_document(months={"start": "2018-11", "end": "2019-02"})))

    months = program.months_before(day)

    assert (months[0], months[-1]) == ("2018-11", last)
    assert list(months) == sorted(set(months))


def test_before_the_first_month_is_over_there_is_no_partition(tmp_path: Path) -> None:
    """A programme may be written before its time."""
    program = load_program(a_program_file(tmp_path, a_document(months={"start": "2018-11", "end": "2019-02"})))

    assert program.months_before(date(2018, 11, 30)) == ()


def test_a_programme_cannot_be_changed_and_travels_between_processes(tmp_path: Path) -> None:
    """What a plan was made from stays what it was; errors travel too."""
    program = load_program(a_program_file(tmp_path))
    error = ProgramError("p", (Problem(field="a", reason="b", cure="c"),))

    copy = pickle.loads(pickle.dumps(program))

    assert copy == program
    assert copy.parcels_path == program.parcels_path
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    with pytest.raises(ValueError, match="frozen"):
        program.composite = "median"  # type: ignore[misc]


def a_checked_folder(folder: Path, **changes: Any) -> Path:
    """A programme file whose parcels and static catalogue exist."""
    (folder / "scenes").mkdir()
    (folder / "scenes" / "catalog.json").write_text("{}")
    a_geojson(folder, a_feature("plot-7"))
    source = {"catalog": "scenes", "collection": "c"}
    return a_program_file(folder, a_document(missions={"sentinel2": source}, **changes))


def test_a_good_programme_passes_the_check(tmp_path: Path) -> None:
    """Checking gives the same programme as reading."""
    path = a_checked_folder(tmp_path, tiles={"plot-7": "34TER"})

    program = check_program(path)

    assert program == load_program(path)


def test_the_check_tells_problems_of_all_files_at_once(tmp_path: Path) -> None:
    """Programme, catalogue and parcels are mended in one go."""
    a_geojson(tmp_path, a_feature("a"), a_feature("a"), a_feature(None))
    source = {"catalog": "earth-serach", "collection": "c"}
    path = a_program_file(tmp_path, a_document(missions={"sentinel2": source}, composite="max"))

    problems = problems_of(path, check_program)

    assert set(problems) == {
        "composite",
        "missions.sentinel2.catalog",
        "parcels.geojson: features[1].properties.parcel_id",
        "parcels.geojson: features[2].properties.parcel_id",
    }
    assert "Did you mean earth-search?" in problems["missions.sentinel2.catalog"].cure


def test_the_check_finds_a_folder_without_a_catalogue(tmp_path: Path) -> None:
    """A folder alone is not a catalogue."""
    path = a_checked_folder(tmp_path)
    (tmp_path / "scenes" / "catalog.json").unlink()

    problems = problems_of(path, check_program)

    assert list(problems) == ["missions.sentinel2.catalog"]


def test_the_check_finds_missing_parcels(tmp_path: Path) -> None:
    """Named as the file that is not there."""
    path = a_checked_folder(tmp_path)
    (tmp_path / "parcels.geojson").unlink()

    problems = problems_of(path, check_program)

    assert problems["parcels.geojson"].reason == "there is no such file"


def test_the_check_finds_a_tile_that_does_not_contain_its_parcel(tmp_path: Path) -> None:
    """And an override of a parcel that does not exist."""
    path = a_checked_folder(tmp_path, tiles={"plot-7": "34TDR", "plot-8": "34TER"})

    problems = problems_of(path, check_program)

    assert set(problems) == {"tiles.plot-7", "tiles.plot-8"}
    assert "34TER" in problems["tiles.plot-7"].cure


def test_the_check_finds_a_programme_before_its_time(tmp_path: Path) -> None:
    """Nothing could be materialized, and Dagster would show no partition and no reason."""
    path = a_checked_folder(tmp_path, months={"start": "2998-01", "end": "2998-12"})

    problems = problems_of(path, check_program)

    assert problems["months"].reason == "no month is over yet"


def test_the_shipped_demo_has_no_problem() -> None:
    """The first programme everyone runs, and the one to copy from."""
    import mrv_assets

    path = Path(mrv_assets.__file__).parent / "demo" / "program.yaml"

    program = check_program(path)

    assert program.partition_months[0] == "2018-01"
    assert len(program.partition_months) == 12
