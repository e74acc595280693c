"""Analysis of training records: functions on arrays and labelled Datasets."""

from ibjax.analysis.records import PlaneRecord

__all__ = ["PlaneRecord"]
