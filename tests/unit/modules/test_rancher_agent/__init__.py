import pytest

# Their failures are to be shown as those of a test.
pytest.register_assert_rewrite(f"{__name__}.checks")
