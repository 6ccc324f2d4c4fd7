# Sourced by tests/run: adapter, its tests and one sample against the newest LibTorch from PyPI, in a virtual environment
# under build/. Skips, with a reason, where there is no room for it.
torch_environment=build/torch-newest
free_gigabytes=$(df --output=avail -BG . | tail -n 1 | tr -dc 0-9)
if [ ! -e "$torch_environment/done" ] && [ "$free_gigabytes" -lt 15 ]; then
  say "stage torch: skipped, $free_gigabytes GB of disk are free and 15 are needed"
  cat >"$results/torch.xml" <<END
<testsuite tests="1" failures="0" skipped="1"><testcase name="newest LibTorch"><skipped message="$free_gigabytes GB of disk free, 15 needed"/></testcase></testsuite>
END
else
  if [ ! -e "$torch_environment/done" ]; then
    say "installing the newest torch from PyPI into $torch_environment (about 5 GB)"
    rm -rf "$torch_environment"
    { python3 -m venv "$torch_environment" && "$torch_environment/bin/pip" install -q torch; } >"$log_folder/torch.log" 2>&1 \
      || { tail -n 5 "$log_folder/torch.log" >&2; fail "installing torch failed; see $log_folder/torch.log"; }
    touch "$torch_environment/done"
  fi
  torch_folder=$("$torch_environment/bin/python" -c 'import pathlib, importlib.util as u; print(pathlib.Path(u.find_spec("torch").origin).parent)')
  [ -e build/torch-newest-tests/build.ninja ] || configure release -B build/torch-newest-tests -DDUET_TORCH=ON "-DDUET_TORCH_DIR=$torch_folder"
  say "building adapter, tests and duet-train against $torch_folder"
  cmake --build build/torch-newest-tests --target duet-train test_torch test_train readme_trainer duet-run \
    duet_transport_libfabric duet_installed >"$log_folder/build-torch.log" 2>&1 \
    || { tail -n 25 "$log_folder/build-torch.log" >&2; fail "the build against the newest torch failed"; }
  run_stage torch torch-newest-tests -L torch
fi
