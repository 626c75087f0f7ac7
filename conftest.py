"""What every run of pytest leaves: no folder of a training run, though nbval kills its kernels."""


def pytest_sessionfinish():
    from helpers import run_folders

    run_folders.remove_left_behind()
