"""What comes back of email: bounces (RFC 3464), complaints (RFC 5965), and what is neither."""

from channels.email.reports.reading import read
from channels.email.reports.report import Bounce, BounceKind, Complaint, Neither, Report

__all__ = ["Bounce", "BounceKind", "Complaint", "Neither", "Report", "read"]
