"""What a download inside a container needs of the machine around it: a container sees neither home nor environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lstv_kaggle import credentials

_CREDENTIALS = ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_ENVIRONMENT")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@dataclass(frozen=True)
class Needs:
    """``variables`` to be set inside the container, kept out of ``repr``; ``files`` and folders to be shown read-only."""

    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    files: tuple[Path, ...] = ()


def needs(environment: Mapping[str, str]) -> Needs:
    """Credentials, proxies and certificates as the caller's ``environment`` and home have them.

    Nothing is read here but which files exist: what is wrong with credentials, the download says in its own words. Of
    several folders with credentials that one is shown which ``credentials.find`` would take here, and none if it takes none.
    """
    names = (*_CREDENTIALS, *_PROXIES, *(name.upper() for name in _PROXIES), *_CERTIFICATES)
    variables = {name: environment[name] for name in names if environment.get(name)}
    files = []
    token = variables.get("KAGGLE_API_TOKEN", "")
    if credentials.names_a_file(token):
        path = Path(os.path.expanduser(token)).absolute()  # the home is another one in the container
        variables["KAGGLE_API_TOKEN"] = str(path)
        files.append(path)
    files += [Path(variables[name]) for name in _CERTIFICATES if name in variables]
    folder = credentials.folder_in_use(environment)
    if folder is not None:
        variables["KAGGLE_CONFIG_DIR"] = str(folder.absolute())
        files.append(folder)
    return Needs(variables, tuple(files))
