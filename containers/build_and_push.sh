#!/usr/bin/env bash
# Build the image, check it, show its size and, if you agree, push it to a registry.
#
#   containers/build_and_push.sh [options] REPOSITORY      for instance docker.io/yourname/lstv-uncertainty
#
#   --yes             push without asking (for scripts)
#   --no-push         stop after build and check
#   --base IMAGE      base image (default: the Dockerfile's, slim Python 3.12)
#   --torch VERSION   install this torch (default: the Dockerfile's, or with --base the base's own); 2.10 or later
#   --engine NAME     docker, podman or buildah (default: the first that is found)
#   --replace         push although the registry has this tag already
#   --latest          also tag as latest; the version tag is always there
#
# LSTV_BUILD_OPTIONS holds further words for the engine's build command, such as --network=host.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    echo "Error: $1" >&2
    exit 2
}
usage() {
    sed -n '2,/^set -euo/{/^set -euo/d;s/^# \{0,1\}//;p}' "$0"
}

repository='' yes=no push=yes base='' torch='' engine='' latest=no replace=no
while [ $# -gt 0 ]; do
    case $1 in
        --yes) yes=yes ;;
        --no-push) push=no ;;
        --latest) latest=yes ;;
        --replace) replace=yes ;;
        --base | --torch | --engine)
            [ $# -ge 2 ] || fail "$1 needs a value"
            declare "${1#--}=$2"
            shift
            ;;
        -h | --help) usage && exit 0 ;;
        -*) fail "unknown option $1; --help lists them" ;;
        *) [ -z "$repository" ] || fail "one repository only, not '$repository' and '$1'" && repository=$1 ;;
    esac
    shift
done
[ -n "$repository" ] || fail "name the repository, for instance: $0 docker.io/yourname/lstv-uncertainty"
case ${repository##*/} in *:*) fail "leave the tag out of '$repository': it is the version of this checkout" ;; esac

# --- engine -----------------------------------------------------------------------------------------------------------
works() {
    case $1 in
        docker) docker info >/dev/null 2>&1 ;; # the client alone is not enough: its daemon has to answer
        *) "$1" info >/dev/null 2>&1 ;;
    esac
}
if [ -z "$engine" ]; then
    for candidate in docker podman buildah; do
        if command -v "$candidate" >/dev/null && works "$candidate"; then
            engine=$candidate
            break
        fi
    done
    [ -n "$engine" ] || fail "none of docker, podman and buildah works here; start docker's daemon or install one of the others"
else
    case $engine in docker | podman | buildah) ;; *) fail "unknown engine '$engine'" ;; esac
    command -v "$engine" >/dev/null || fail "$engine is not installed"
    works "$engine" || fail "$engine does not work here; see: $engine info"
fi

# --- what is built ----------------------------------------------------------------------------------------------------
version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' scripts/lstv/__init__.py)
[ -n "$version" ] || fail "no version in scripts/lstv/__init__.py"
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
if [ -n "$(git status --porcelain -- containers envs .dockerignore 2>/dev/null)" ]; then
    echo "Note: containers/ or envs/ differ from the last commit; the label revision gets '-changed'."
    revision+=-changed
fi
# another base or torch is another image, so it has another tag
variant=''
[ -z "$base" ] || variant+=-$(basename "$base" | tr -c 'A-Za-z0-9._\n' -)
[ -z "$torch" ] || variant+=-torch$torch
image=$repository:$version$variant

# --- login ------------------------------------------------------------------------------------------------------------
registry=${repository%%/*}
case $registry in *.* | *:* | localhost) ;; *) registry=docker.io ;; esac
logged_in() {
    case $engine in
        docker)
            local file=${DOCKER_CONFIG:-$HOME/.docker}/config.json name=$registry
            [ "$registry" = docker.io ] && name=https://index.docker.io/v1/
            [ -r "$file" ] && grep -q -e "\"$name\"" -e '"credsStore"' "$file"
            ;;
        *) "$engine" login --get-login "$registry" >/dev/null 2>&1 ;;
    esac
}
if [ "$push" = yes ] && [ "$registry" != localhost ] && ! logged_in; then
    fail "not logged in to $registry; run '$engine login $registry' first, or build only with --no-push"
fi
remote=$image
[ "$engine" = docker ] || remote=docker://$image
if [ "$push" = yes ] && [ "$replace" = no ] && "$engine" manifest inspect "$remote" >/dev/null 2>&1; then
    fail "the registry has $image already, and runs may rely on it: raise the version, or say --replace"
fi

# --- the base, by digest ----------------------------------------------------------------------------------------------
# A tag moves, so the base is what the registry gives under it now, and its digest is written into the image.
from=${base:-$(sed -n 's/^ARG BASE_IMAGE=//p' containers/Dockerfile)}
digest_of_base() {
    case $engine in
        buildah) buildah inspect --type image --format '{{.FromImageDigest}}' "$from" ;;
        *) "$engine" image inspect --format '{{index .RepoDigests 0}}' "$from" ;;
    esac 2>/dev/null | sed -n 's/.*\(sha256:[0-9a-f]\{64\}\)$/\1/p'
}
digest='' pinned=$from
case $from in
    *@sha256:*) digest=${from##*@} ;;
    localhost/*) echo "Note: $from was made on this machine, so the image records no digest of its base." ;;
    *)
        echo "Pulling the base $from ..."
        "$engine" pull --platform linux/amd64 "$from" >/dev/null || fail "the base $from cannot be pulled; the lines above say why"
        digest=$(digest_of_base)
        [ -n "$digest" ] || fail "$engine does not tell the digest of $from; name it yourself: --base ${from%:*}@sha256:..."
        pinned=${from%:*}@$digest
        ;;
esac
[ -z "$digest" ] || echo "Base: $pinned"

# --- what the engine says of its build ---------------------------------------------------------------------------------
# Docker keeps a list of packages (SBOM) and a build's provenance beside an image in the store of containerd, and pushes them with
# it; its older store refuses both, and podman and buildah have no provenance.
attest=()
if [ "$engine" = docker ] && docker info --format '{{.DriverStatus}}' 2>/dev/null | grep -q io.containerd.snapshotter; then
    attest=(--sbom=true --provenance=mode=max)
else
    why="$engine keeps none"
    [ "$engine" != docker ] || why="this docker keeps none until its containerd image store is turned on"
    echo "Note: no attestation of the build is made ($why). The image lists its packages itself, in /opt/lstv/sbom.cdx.json."
fi

# --- build and check --------------------------------------------------------------------------------------------------
arguments=(--label "org.opencontainers.image.version=$version" --label "org.opencontainers.image.revision=$revision")
arguments+=(--build-arg "BASE_IMAGE=$pinned" --label "org.opencontainers.image.base.name=$from")
[ -z "$digest" ] || arguments+=(--label "org.opencontainers.image.base.digest=$digest")
[ -z "$base$torch" ] || arguments+=(--build-arg "TORCH=${torch:-base}")
build=("$engine" build --platform linux/amd64) # what clusters have, whatever this machine is
[ "$engine" != buildah ] || build=(buildah bud --layers --platform linux/amd64)
read -r -a more <<<"${LSTV_BUILD_OPTIONS:-}"
echo "Building $image with $engine ..."
start=$SECONDS
"${build[@]}" ${attest[@]+"${attest[@]}"} ${more[@]+"${more[@]}"} "${arguments[@]}" -f containers/Dockerfile -t "$image" .
echo "Built in $((SECONDS - start)) s."

echo "Health check:"
if [ "$engine" = buildah ]; then
    container=$(buildah from --pull-never "$image")
    trap 'buildah rm "$container" >/dev/null' EXIT
    buildah run "$container" -- lstv-health-check || fail "the image is not fit for use; it was not pushed"
    size=$(buildah images --format '{{.Size}}' "$image")
else
    "$engine" run --rm --read-only --tmpfs /tmp "$image" lstv-health-check || fail "the image is not fit for use; it was not pushed"
    size=$("$engine" images --format '{{.Size}}' "$image")
fi
echo "Size unpacked: ${size%%$'\n'*}"

# --- push -------------------------------------------------------------------------------------------------------------
if [ "$push" = no ]; then
    echo "Not pushed. As a Singularity image: see containers/README.md"
    exit 0
fi
if [ "$yes" = no ]; then
    [ -t 0 ] || fail "no terminal to ask at; say --yes to push or --no-push"
    read -r -p "Push $image to $registry? [y/N] " answer
    case $answer in y | Y | yes) ;; *) echo "Not pushed." && exit 0 ;; esac
fi
push_image() { # TAG
    if [ "$engine" = docker ]; then
        docker push "$1"
        docker inspect --format '{{index .RepoDigests 0}}' "$1"
    else
        local digest
        digest=$(mktemp)
        "$engine" push --digestfile "$digest" "$1" "docker://$1"
        echo "$repository@$(cat "$digest")"
        rm -f "$digest"
    fi
}
echo "Pushed; under this name it stays the same: $(push_image "$image" | tail -n 1)"
if [ "$latest" = yes ]; then
    "$engine" tag "$image" "$repository:latest"
    push_image "$repository:latest" >/dev/null
fi
echo "In the configuration:  container: docker://$image"
