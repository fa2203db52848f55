"""Files of the form that the sources of `miniature` have are read as they say, checked, and downloaded to the cache."""

import dataclasses
import gzip
import zipfile
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from tests.requirements import folder_of
from timetrial.harness import UsageError
from timetrial.harness.workload import SPLITS, DataSource
from timetrial.workloads.adult_dlrm import AdultDlrm
from timetrial.workloads.digits_deepspeech import DigitsDeepSpeech
from timetrial.workloads.mri_unet import MriUNet
from timetrial.workloads.multi30k_transformer import Multi30kTransformer, text_of
from timetrial.workloads.sources import adult as adult_module
from timetrial.workloads.sources import multi30k as multi30k_module
from timetrial.workloads.sources import spoken_digits as digits_module
from timetrial.workloads.sources import tox21 as tox21_module
from timetrial.workloads.sources.cache import hash_files
from timetrial.workloads.sources.kspace import undersample
from timetrial.workloads.tox21_gnn import Tox21Gnn


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TIMETRIAL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(params=["folder", "download"])
def source_of(request, tmp_path, monkeypatch):
    """Write the files of a data set, and let it expect them; gives where to load them from."""

    def write(module, name: str, contents: dict[str, bytes]) -> DataSource:
        data_set = getattr(module, name)
        folder = tmp_path / "root" / data_set.folder
        folder.mkdir(parents=True)
        for file, content in contents.items():
            (folder / file).write_bytes(content)
        sums = {file: hash_files(folder / file) for file in contents}
        monkeypatch.setattr(module, name, dataclasses.replace(data_set, sha256=sums, url=folder.as_uri()))
        return DataSource("real", tmp_path / "root" if request.param == "folder" else None)

    return write


PEOPLE = [
    "39, State-gov, 77516, Bachelors, 13, Never-married, Sales, Husband, White, Male, 2174, 0, 40, Cuba, <=50K",
    "50, ?, 83311, 11th, 7, Divorced, Sales, Wife, Black, Female, 0, 0, 13, ?, >50K",
]


def test_people_are_read_as_their_files_say(source_of):
    train, test = "\n".join(PEOPLE) + "\n\n", "|1x3 Cross validator\n" + "".join(f"{row}.\n" for row in PEOPLE[::-1])
    source = source_of(adult_module, "ADULT", {"adult.data": train.encode(), "adult.test": test.encode()})
    arrays, other = (adult_module.adult(part, source) for part in (True, False))
    assert arrays["labels"].tolist() == [0, 1] and other["labels"].tolist() == [1, 0]
    assert arrays["categories"].tolist() == [[1, 1, 1, 0, 0, 1, 1, 1], [0, 0, 0, 0, 1, 0, 0, 0]]
    assert np.array_equal(arrays["categories"], other["categories"][::-1])
    assert arrays["numbers"][:, 0].tolist() == pytest.approx([-1, 1])  # two ages of zero mean and unit variance


MOLECULES = "NR-AR,,,,,,,,,,,x,mol_id,smiles\n1,,0,0,0,0,0,0,0,0,0,0,A,CC=O\n0,0,0,0,0,0,0,0,0,0,0,1,B,c1ccccc1[Na]\n"


def test_molecules_are_graphs_of_their_atoms_and_bonds(source_of):
    pytest.importorskip("rdkit")
    source = source_of(
        tox21_module, "TOX21", {"tox21.csv.gz": gzip.compress((MOLECULES + f"{',' * 12}C,{'C' * 51}\n").encode())}
    )
    arrays = tox21_module.tox21(source)
    assert arrays["atom_counts"].tolist() == [3, 7] and arrays["bond_counts"].tolist() == [
        2,
        7,
    ]  # the third is too large
    assert arrays["labels"][:, :3].tolist() == [[1, 2, 0], [0, 0, 0]] and arrays["labels"][1, 11] == 1
    assert arrays["atoms"][0, :3].tolist() == [[0, 1, 2, 3, 0, 0], [0, 2, 2, 1, 0, 0], [2, 1, 2, 0, 0, 0]]
    assert arrays["bonds"][0, :2].tolist() == [[0, 0, 0], [1, 0, 0]] and arrays["ends"][0, :2].tolist() == [
        [0, 1],
        [1, 2],
    ]
    assert arrays["atoms"][1, 6, 0] == tox21_module.ELEMENTS.index("Na") and arrays["atoms"][1, 0, 4:].tolist() == [
        1,
        1,
    ]


def test_without_rdkit_one_line_says_what_to_install(source_of, monkeypatch):
    source = source_of(tox21_module, "TOX21", {"tox21.csv.gz": gzip.compress(MOLECULES.encode())})
    monkeypatch.setitem(__import__("sys").modules, "rdkit", None)
    with pytest.raises(UsageError, match=r"pip install 'timetrial\[molecules\]'"):
        Tox21Gnn().load("train", source)


def test_sentences_are_cut_into_subwords_that_give_the_sentences_again(source_of):
    german = [f"Ein Mädchen zählt {n} weiße Häuser am Fluß." for n in range(40)]
    english = [f"A girl counts {n} white houses by the river." for n in range(40)]
    german[7] = english[7] = "zu lang " * 50
    files = {
        f"{part}.{language}.gz": gzip.compress("".join(f"{line}\n" for line in lines).encode())
        for part in multi30k_module.PARTS.values()
        for language, lines in (("de", german), ("en", english))
    }
    source = source_of(multi30k_module, "MULTI30K", files)
    arrays = multi30k_module.multi30k("validation", source, vocabulary=120, length=40)
    pieces = [bytes(row).rstrip(b"\0") for row in arrays["pieces"]]
    pairs = {
        tuple(text_of(row.tolist(), pieces) for row in pair)
        for pair in zip(arrays["german"], arrays["english"], strict=True)
    }
    fitting = {pair for index, pair in enumerate(zip(german, english, strict=True)) if index != 7}
    assert pairs == fitting


def write_recordings(folder: Path) -> None:
    folder.mkdir(parents=True)
    draw = np.random.RandomState(0)
    for digit in range(10):
        for index in (0, 4, 5, 9, 10, 11):
            samples = (1000 * draw.standard_normal(3000 + 10 * digit)).astype(np.int16)
            wavfile.write(folder / f"{digit}_ada_{index}.wav", 8000, samples)


@pytest.mark.parametrize("way", ["folder", "download"])
def test_recordings_are_split_by_their_names_and_put_together(way, tmp_path, monkeypatch, cache_folder):
    folder = tmp_path / "root" / digits_module.FOLDER
    write_recordings(folder)
    files = sorted(folder.glob("*.wav"))
    monkeypatch.setattr(digits_module, "SHA256", hash_files(*files))
    monkeypatch.setattr(digits_module, "UTTERANCES", {"train": 20, "validation": 5, "test": 5})
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        for file in files:
            archive.write(file, f"fsdd-1/recordings/{file.name}")
        archive.writestr("fsdd-1/README.md", "read me")
    monkeypatch.setattr(digits_module, "URL", (tmp_path / "archive.zip").as_uri())
    source = DataSource("real", tmp_path / "root" if way == "folder" else None)
    assert [len(digits_module._read(split, files)[3]) for split in SPLITS] == [2, 2, 2]
    arrays = digits_module.spoken_digits("train", source)
    assert arrays["features"].shape == (20, digits_module.FRAMES, digits_module.MELS)
    for features, frames, characters in zip(arrays["features"], arrays["frames"], arrays["characters"], strict=True):
        words = "".join(digits_module.ALPHABET[place] for place in characters if place).split()
        assert 3 <= len(words) <= 5 and set(words) <= set(digits_module.WORDS)
        assert (features[:frames] > 0).all() and (features[frames:] == 0).all()
        assert 18 * len(words) <= frames  # recordings of 3,000 samples, frames of 160
    assert (cache_folder / digits_module.FOLDER).is_dir() == (way == "download")


@pytest.mark.parametrize("workload", [AdultDlrm(), Tox21Gnn(), Multi30kTransformer(), DigitsDeepSpeech(), MriUNet()])
def test_data_that_are_missing_name_the_folder_and_the_remedies(workload, tmp_path):
    with pytest.raises(UsageError) as error:
        workload.load("train", DataSource("real", tmp_path))
    message = str(error.value)
    assert (
        str(tmp_path) in message and "data_root=DIR" in message and "data=synthetic" in message and "\n" not in message
    )


def test_files_that_differ_are_refused_from_a_folder_and_from_a_download(tmp_path, monkeypatch):
    folder = tmp_path / "adult"
    folder.mkdir()
    (folder / "adult.data").write_text("something else")
    with pytest.raises(UsageError, match="is not that of Adult"):
        AdultDlrm().load("train", DataSource("real", tmp_path))
    monkeypatch.setattr(adult_module, "ADULT", dataclasses.replace(adult_module.ADULT, url=folder.as_uri()))
    with pytest.raises(UsageError, match="invalid hash"):
        AdultDlrm().load("train", DataSource("real"))
    write_recordings(tmp_path / digits_module.FOLDER)
    with pytest.raises(UsageError, match="has not the pinned recordings"):
        DigitsDeepSpeech().load("train", DataSource("real", tmp_path))


def test_failed_downloads_are_errors_of_one_line(monkeypatch):
    monkeypatch.setattr(digits_module, "URL", "file:///nowhere/archive.zip")
    for module, name in ((adult_module, "ADULT"), (tox21_module, "TOX21"), (multi30k_module, "MULTI30K")):
        monkeypatch.setattr(module, name, dataclasses.replace(getattr(module, name), url="file:///nowhere"))
    for workload in (AdultDlrm(), Tox21Gnn(), Multi30kTransformer(), DigitsDeepSpeech()):
        with pytest.raises(UsageError, match=r"download failed \(.*\): pass data_root=DIR.*data=synthetic") as error:
            workload.load("train", DataSource("real"))
        assert "\n" not in str(error.value)


def test_a_quarter_of_the_lines_is_sampled_and_the_centre_always():
    images = np.random.RandomState(0).randint(256, size=(50, 28, 28), dtype=np.uint8)
    constant = np.full((50, 28, 28), 77, dtype=np.uint8)  # all in the lowest frequency, which is in the centre
    assert np.array_equal(undersample(constant, 1)["zero_filled"], constant)
    impulse = np.zeros((50, 28, 28), dtype=np.uint8)
    impulse[:, 14, 14] = 252  # all frequencies alike: a quarter of them gives a quarter of it
    assert (undersample(impulse, 1)["zero_filled"][:, 14, 14] == 63).all()
    first, again, other = (undersample(images, seed)["zero_filled"] for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_real_data_have_the_stated_sizes(monkeypatch):
    monkeypatch.delenv("TIMETRIAL_CACHE")  # decoded once for all
    source = DataSource("real", folder_of("data", "TIMETRIAL_DATA_ROOT", "the data sets"))
    for workload, sizes in (
        (AdultDlrm(), (27_561, 5_000, 16_281)),
        (MriUNet(), (55_000, 5_000, 10_000)),
        (DigitsDeepSpeech(), (6_000, 500, 500)),
        (Multi30kTransformer(), (27_004, 950, 942)),
        (Tox21Gnn(), (6_282, 785, 786)),
    ):
        assert tuple(workload.examples(workload.load(split, source)) for split in SPLITS) == sizes
