"""--repro-ray-address and repro_ray_address: which Ray cluster, and a sentence where there is none."""

import pytest

TEST = """
@reproducibility(runs=2)
def test_audit(retrain):
    retrain(FunctionTrainer(shaky, y_true=y_true))
"""


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("127.0.0.1:1", "Connection refused"),
        ("ray://127.0.0.1:1", "Connection refused"),
    ],
)
def test_an_address_where_nobody_listens_is_told_at_once(project, address, why):
    pytest.importorskip("ray")
    project.write(TEST)
    result = project.run("--repro-executor=ray", f"--repro-ray-address={address}", "-n0")
    result.assert_outcomes(failed=1)
    said = project.said(result)
    assert (
        f"test_audit: --repro-ray-address={address}: can't connect to a Ray cluster there: " in said
    )
    assert why in said
    assert (
        "Expected auto (the cluster of this machine), HOST:PORT from a machine of the cluster"
        in said
    )


@pytest.mark.parametrize("address", ["nowhere", "http://host:1", "host:port", ""])
def test_what_is_no_address_is_refused(project, address):
    project.write(TEST)
    result = project.run("--repro-executor=ray", f"--repro-ray-address={address}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert (
        f"--repro-ray-address={address}: got '{address}'; expected auto (the cluster of this machine), "
        "HOST:PORT or ray://HOST:10001" in project.said(result)
    )


def test_an_address_without_ray_is_refused(project):
    project.write(TEST)
    result = project.run("--repro-ray-address=auto")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    told = "--repro-ray-address=auto: that is of a Ray cluster, and executor='auto' trains elsewhere; add"
    assert told in project.said(result)
