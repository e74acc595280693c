"""Analysis of training records: functions on arrays and labelled Datasets."""

from ibjax.analysis.records import plane_record

__all__ = ["plane_record"]
