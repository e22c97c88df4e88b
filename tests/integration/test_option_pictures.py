"""--repro-pictures and repro_pictures."""

import pytest

TEST = """
@reproducibility(runs=3)
def test_images(retrain):
    generator = torch.Generator().manual_seed(0)
    images, targets = torch.randn(20, 1, 4, 4, generator=generator), torch.arange(20) % 2
    net = lambda: nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    retrain(net, train=(images, targets), test=(images, targets), epochs=1, batch_size=5)
"""


def pictured(project, *options):
    project.run("--repro-json=out.json", "--repro-html=page.html", *options).assert_outcomes(
        passed=1
    )
    page = (project.path / "page.html").read_text(encoding="utf-8")
    return "pictures" in project.audits()["test_images"], 'class="sample"' in page


def test_pictures_are_left_out_where_no_is_said_and_the_command_line_wins(project):
    project.write(TEST)
    assert pictured(project) == (True, True)
    project.ini("repro_pictures = no")
    assert pictured(project) == (False, False)
    assert pictured(project, "--repro-pictures=yes") == (True, True)


def test_a_file_without_predictions_holds_none(project):
    project.write(TEST)
    assert pictured(project, "--repro-json-predictions=no") == (False, True)


def test_what_it_cannot_mean_is_refused_before_anything_runs(project):
    project.write(TEST)
    result = project.run("--repro-pictures=perhaps")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: --repro-pictures=perhaps: got 'perhaps'; expected yes or no" in project.said(
        result
    )
