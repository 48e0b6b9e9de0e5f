# Sourced by the task prolog and the srun epilog, after `here` was set to their folder:
# sets `python` (the interpreter that jobwatt was installed for) and `package` (its folder).
# No process is started.
# shellcheck shell=bash disable=SC2034,SC2154

locate() {
    local first second
    { IFS= read -r first && IFS= read -r second; } <"$here/jobwatt" || return 1
    python=${first#\#!}
    if [[ $python == */sh ]]; then # a path too long for a shebang: '''exec' PYTHON "$0" "$@"
        python=${second#*"exec' "}
        python=${python%% \"\$0*}
        python=${python//\"/}
    fi
    [[ -x $python ]] || return 1
    for package in "$here"/../lib{,64}/python3*/{site,dist}-packages/jobwatt; do
        [[ -f $package/sampler/__main__.py ]] && return 0
    done
    package=
}
