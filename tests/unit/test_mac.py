import hmac

from hypothesis import given
from hypothesis import strategies as st

from vote.mac import mac


@given(st.binary(max_size=200), st.binary(max_size=600))
def test_it_is_the_librarys_hmac(key: bytes, message: bytes) -> None:
    assert mac(key, message) == mac(key, message) == hmac.digest(key, message, "sha256")
