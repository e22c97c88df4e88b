"""The study's cells, profiles and published table."""

import sys
from pathlib import Path

import pytest

from pytest_reprotest import audit

sys.path.append(str(Path(__file__).parents[1] / "examples"))

from regularizer_study.factors import (
    PROFILES,
    Cell,
    full_cells,
    profile,
    published_cells,
)
from regularizer_study.published import TABLE, PublishedTableError, by_cell, read_published


@pytest.mark.parametrize(
    ("cell", "lr", "epochs"),
    [
        (Cell("mnist", optimizer="sgd"), 0.1, 25),
        (Cell("mnist", optimizer="momentum"), 0.01, 25),
        (Cell("mnist", optimizer="adam"), 3e-4, 25),
        (Cell("fashion_mnist", optimizer="adam"), 1e-3, 25),
        (Cell("fashion_mnist", optimizer="momentum"), 0.01, 25),
        (Cell("cifar10", optimizer="adam"), 3e-4, 10),
        (Cell("svhn", optimizer="sgd"), 0.1, 10),
    ],
    ids=lambda value: value.id if isinstance(value, Cell) else None,
)
def test_a_recipe_is_the_study_s(cell, lr, epochs):
    assert cell.recipe == {
        "epochs": epochs,
        "batch_size": 128,
        "optimizer": cell.optimizer,
        "lr": lr,
        "momentum": 0.9,
        "weight_decay": 0.0,
    }


def test_a_cell_knows_its_net_and_its_penalty():
    cell = Cell(
        "cifar100", "cnn", 10, norm="group", residual=True, orthogonal=True, weight_decay=1e-4
    )

    assert cell.net.label == "cnn-10, group norm, residual"
    assert (cell.net.n_classes, cell.net.in_shape) == (100, (3, 32, 32))
    assert cell.regularizer == "orthogonal"
    assert cell.recipe["weight_decay"] == 1e-4
    assert cell.id == "cifar100-cnn10-sgd-wd0.0001-group-residual-orthogonal"
    assert Cell().regularizer == "none"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"data": "minst"}, "data='minst'; expected one of digits, mnist"),
        ({"optimizer": "lion"}, "optimizer='lion'; expected one of sgd, momentum, adam"),
        ({"architecture": "cnn", "depth": 20}, "of depth 20; expected one of 5, 10, 18"),
    ],
)
def test_a_cell_that_cannot_be_is_refused(changes, told):
    with pytest.raises(ValueError, match=told):
        Cell(**changes)


def test_the_published_grid_is_the_study_s():
    cells = published_cells()

    assert len(set(cells)) == len(cells) == 3 * 3 * 2 * 3 * 2
    assert all(cell.tied == (cell.depth > 2 and not cell.residual) for cell in cells)
    assert {cell.norm for cell in cells} == {"none", "layer", "batch"}
    assert {cell.noise for cell in cells} == {"none"}
    assert {cell.data for cell in published_cells("svhn")} == {"svhn"}


def test_the_full_grid_holds_every_factor_once():
    cells = list(full_cells(["cifar10"]))

    mlp = (
        (1 * 2 + 2 * (2 + 3)) * 3 * 2 * 4 * 2
    )  # depth 2 is not residual; two or three kinds of noise
    cnn = 3 * (2 + 3) * 3 * 2 * 4 * 2
    assert len(set(cells)) == len(cells) == mlp + cnn
    assert len({cell.id for cell in cells}) == len(cells)
    assert {cell.norm for cell in cells} == {"none", "layer", "batch", "group"}
    assert {cell.noise for cell in cells} == {"none", "dropout", "stochastic_depth"}
    assert {cell.orthogonal for cell in cells} == {False, True}
    assert not any(cell.tied for cell in cells)


@pytest.mark.parametrize("name", PROFILES)
def test_the_cells_of_a_profile_differ_by_id(name):
    cells = profile(name).cells

    assert cells
    assert len({cell.id for cell in cells}) == len(cells)


def test_profiles_differ_in_size():
    smoke, ci, published = profile("smoke"), profile("ci"), profile("published")

    assert {cell.data for cell in smoke.cells} == {"digits"}
    assert {cell.data for cell in ci.cells} == {"mnist"}
    assert ci.n_train % 128 == 0
    assert ci.recipe(ci.cells[0])["epochs"] == 4
    assert published.recipe(published.cells[0])["epochs"] == 25
    assert (published.n_train, published.runs) == (None, 5)
    assert {cell.data for cell in profile("full").cells} == {
        "mnist", "fashion_mnist", "cifar10", "cifar100", "svhn", "tiny_imagenet",
    }  # fmt: skip
    with pytest.raises(
        ValueError, match="no profile 'quick'; expected one of smoke, ci, published"
    ):
        profile("quick")


@pytest.mark.parametrize("cell", profile("smoke").cells, ids=lambda cell: cell.id)
def test_the_cells_of_the_smoke_profile_train(cell):
    smoke = profile("smoke")
    data = smoke.data(cell, skip=True)

    result = audit(
        cell.net,
        train=data.train,
        test=data.test,
        runs=2,
        regularizers=[cell.regularizer],
        **smoke.recipe(cell),
    )

    assert len(data.train[1]) == smoke.n_train == 640
    assert result[cell.regularizer].predictions.shape == (2, 355)


def test_the_published_table_is_read_and_each_row_is_of_a_cell_of_the_grid():
    rows = by_cell(read_published())

    assert len(rows) == 72
    assert set(rows) < set(published_cells())
    assert {(row.epochs, row.runs) for row in rows.values()} == {(25, 5)}
    assert rows[Cell(optimizer="adam")].effective_accuracy == 0.96366
    collapsed = rows[Cell(depth=20, tied=True)]
    assert collapsed.effective_accuracy == 0.1135
    assert rows[Cell(depth=20, norm="layer", tied=True)].effective_accuracy == -0.38216
    best = Cell(depth=6, norm="layer", weight_decay=1e-4, residual=True)
    assert max(rows.values(), key=lambda row: row.effective_accuracy).cell == best


def test_rows_of_depth_2_are_replicates_of_each_other():
    rows = by_cell(read_published())

    for optimizer in ("sgd", "momentum", "adam"):
        plain = rows[Cell(optimizer=optimizer)]
        assert (
            rows[Cell(optimizer=optimizer, residual=True)].effective_accuracy
            == plain.effective_accuracy
        )


HEADER = "optim,dataset,num_layers,norms,noise,lnoise,residual,seed,epochs,runs,device,eff_test_accuracy\n"
ROW = "sgdmom,svhn,20,batch,false,wdecay,true,0,10,5,cuda,0.25\n"


def test_a_table_in_the_study_s_own_columns_is_read(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(HEADER + ROW, encoding="utf-8")

    (row,) = read_published(path)

    assert row.cell == Cell("svhn", "mlp", 20, "momentum", 1e-4, "batch", residual=True)
    assert (row.effective_accuracy, row.epochs, row.runs) == (0.25, 10, 5)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("sgdmom", "lion", "optim is 'lion'; expected one of 'sgd', 'sgdmom', 'adam'"),
        ("batch", "group", "norms is 'group'; expected one of 'false', 'layer', 'batch'"),
        (",false,", ",dropout,", "noise is 'dropout'; expected 'false'"),
        ("0.25", "nan", "eff_test_accuracy is 'nan'; expected a number"),
        (",20,", ",deep,", "num_layers is 'deep'; expected a number"),
        (",cuda,0.25", "", "eff_test_accuracy is None; expected a number"),
    ],
)
def test_a_row_without_meaning_is_refused_by_its_number(tmp_path, old, new, told):
    path = tmp_path / "table.csv"
    path.write_text(HEADER + ROW + ROW.replace(old, new), encoding="utf-8")

    with pytest.raises(PublishedTableError) as caught:
        read_published(path)

    assert str(caught.value) == f"{path}, row 2: {told}"


def test_two_rows_of_one_cell_are_refused(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(HEADER + ROW + ROW, encoding="utf-8")

    with pytest.raises(PublishedTableError, match="2 rows of 1 cells; expected one row a cell"):
        by_cell(read_published(path))


def test_the_table_names_its_source():
    assert TABLE.read_text(encoding="utf-8").startswith(
        "# Effective Test Accuracy on MNIST as published"
    )
