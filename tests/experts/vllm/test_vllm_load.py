"""What a server's page of metrics says, and what a request more would mean to it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.experts.vllm.load import LoadReport, Pressure, burden, read_report

PAGE = """# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="a }b\\" {c"} 4.0
# HELP vllm:num_requests_waiting Number of requests waiting to be processed.
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="m"} 8.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="m",reason="capacity"} 77.0
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.25
vllm:generation_tokens_total{engine="0",model_name="m"} 1e+06
process_open_fds 31.0
"""


def test_three_numbers_of_a_page_are_read() -> None:
    """As vLLM writes them; names that only begin alike are others."""
    assert read_report(PAGE) == LoadReport(running=4, waiting=8, kv_usage=0.25)


def test_engines_of_one_server_add_up_and_the_fullest_memory_counts() -> None:
    """Data-parallel servers have a sample for each engine."""
    more = 'vllm:num_requests_running{engine="1"} 2\nvllm:kv_cache_usage_perc{engine="1"} 0.75 1700000000000\n'
    assert read_report(PAGE + more) == LoadReport(running=6, waiting=8, kv_usage=0.75)


@pytest.mark.parametrize(
    "page",
    [
        "",
        "<html>not found</html>",
        PAGE.replace("vllm:num_requests_waiting{", "vllm:other{"),
        PAGE.replace(" 8.0", " NaN"),
        PAGE.replace(" 8.0", " +Inf"),
        PAGE.replace(" 8.0", " -1"),
        PAGE.replace(" 8.0", " many"),
        PAGE.replace(" 0.25", " 25"),
    ],
)
def test_page_without_all_three_or_with_a_broken_one_is_no_report(page: str) -> None:
    """Better unknown than wrong."""
    assert read_report(page) is None


@given(st.text())
def test_any_page_can_be_read(page: str) -> None:
    """A server may send anything."""
    read_report(page)


@given(
    st.integers(0, 100),
    st.floats(0, 100, allow_nan=False),
    st.floats(0, 100, allow_nan=False),
    st.floats(0, 1, allow_nan=False),
)
def test_more_of_anything_makes_a_server_busier(in_flight: int, others: float, waiting: float, kv_usage: float) -> None:
    """And one that waits weighs more than one that runs."""
    here = burden(in_flight, Pressure(others=others, waiting=waiting, kv_usage=kv_usage))
    assert here > 0
    assert burden(in_flight + 1, Pressure(others=others, waiting=waiting, kv_usage=kv_usage)) > here
    assert burden(in_flight, Pressure(others=others + 1, waiting=waiting, kv_usage=kv_usage)) > here
    assert burden(in_flight, Pressure(others=others + 1, waiting=waiting + 1, kv_usage=kv_usage)) > burden(
        in_flight, Pressure(others=others + 1, waiting=waiting, kv_usage=kv_usage)
    )
    assert burden(in_flight, Pressure(others=others, waiting=waiting, kv_usage=1.0)) >= here
