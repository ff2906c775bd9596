"""What each function takes and gives back: ``Prometheus' parser/functions.go`` as one table."""

from __future__ import annotations

from dataclasses import dataclass

from .plan import Kind

_KINDS = {"scalar": Kind.SCALAR, "vector": Kind.VECTOR, "range": Kind.RANGE, "string": Kind.TEXT}


@dataclass(frozen=True, slots=True)
class Signature:
    """``most``: None for any number of arguments, of which the last kind repeats."""

    args: tuple[Kind, ...]
    least: int
    most: int | None
    returns: Kind

    @classmethod
    def of(cls, text: str, returns: Kind) -> Signature:
        """From ``vector scalar?``: a question mark for what may be left out, a star for what may be said any number of times."""
        words = text.split()
        required = sum(word[-1] not in "?*" for word in words)
        most = None if text.endswith("*") else len(words)
        return cls(tuple(_KINDS[word.rstrip("?*")] for word in words), required, most, returns)

    def wrong_number(self, name: str, given: int) -> str | None:
        """What to say about a call with so many arguments, None if they are right."""
        if self.least == self.most and given != self.least:
            return f'expected {self.least} argument(s) in call to "{name}", got {given}'
        if given < self.least:
            return f'expected at least {self.least} argument(s) in call to "{name}", got {given}'
        if self.most is not None and given > self.most:
            return f'expected at most {self.most} argument(s) in call to "{name}", got {given}'
        return None

    def kind_of(self, number: int) -> Kind:
        return self.args[min(number, len(self.args) - 1)]


_TO_SCALAR = {
    "": "time pi start end step range",
    "vector": "scalar",
    "scalar scalar": "min_of max_of",
}
_TO_VECTOR = {
    "vector": """abs acos acosh asin asinh atan atanh ceil cos cosh deg exp floor ln log10 log2 rad sgn sin sinh sqrt tan
        tanh absent sort sort_desc timestamp histogram_avg histogram_count histogram_stddev histogram_stdvar
        histogram_sum""",
    "vector?": "minute hour day_of_week day_of_month day_of_year days_in_month month year",
    "vector vector?": "info",
    "vector scalar": "clamp_max clamp_min",
    "vector scalar?": "round",
    "vector scalar scalar": "clamp",
    "vector string string string string": "label_replace",
    "vector string string string*": "label_join",
    "vector string*": "sort_by_label sort_by_label_desc",
    "vector string scalar" + 9 * " scalar?": "histogram_quantiles",
    "scalar": "vector",
    "scalar vector": "histogram_quantile",
    "scalar scalar vector": "histogram_fraction",
    "range": """rate increase delta irate idelta deriv changes resets absent_over_time avg_over_time count_over_time
        first_over_time last_over_time mad_over_time max_over_time min_over_time present_over_time stddev_over_time
        stdvar_over_time sum_over_time ts_of_first_over_time ts_of_last_over_time ts_of_max_over_time
        ts_of_min_over_time""",
    "range scalar": "predict_linear",
    "range scalar scalar": "double_exponential_smoothing",
    "scalar range": "quantile_over_time",
}

SIGNATURES = {
    name: Signature.of(args, returns)
    for returns, table in ((Kind.SCALAR, _TO_SCALAR), (Kind.VECTOR, _TO_VECTOR))
    for args, names in table.items()
    for name in names.split()
}
