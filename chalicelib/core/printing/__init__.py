"""Sheets as text that somebody pastes: JSON, a CloudFormation template, Terraform, commands of the aws CLI."""

from chalicelib.core.printing.bundles import Bundle, bundles
from chalicelib.core.printing.cloudformation import cloudformation
from chalicelib.core.printing.documents import by_kind, document, documents
from chalicelib.core.printing.shell import shell
from chalicelib.core.printing.terraform import terraform

__all__ = ["Bundle", "bundles", "by_kind", "cloudformation", "document", "documents", "shell", "terraform"]
