#!/bin/sh
# lab: the data of a commit come with it. Git calls this after each checkout, with the commit before, the one after, and
# 1 where it switched branches. Not by pre-commit, which would first stash what is not staged, also for one file.
# DVC's own hook fails where data of the commit is not here yet; and where the two commits name the same data, results
# that nobody committed yet must stay. A new worktree has no environment yet.
[ "$3" != 1 ] || [ ! -d .dvc ] || [ ! -x .venv/bin/dvc ] ||
    git diff --quiet "$1" "$2" -- dvc.yaml dvc.lock "*.dvc" ||
    .venv/bin/dvc checkout --allow-missing
