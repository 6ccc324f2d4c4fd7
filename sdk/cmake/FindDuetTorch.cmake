# Finds LibTorch and makes one imported target of it, duet::torch_library, without LibTorch's own CMake package: that one
# demands CUDA where the wheel was built with it, fails on architectures that this CMake does not know, and finds the
# system's LibTorch first where both are installed.
#
#   DUET_TORCH_DIR=PATH   an unpacked LibTorch, or the `torch` folder of an installed Python wheel
#   DUET_TORCH_DIR=auto   the wheel that `python3` would import
#   DUET_TORCH_DIR=       the system's (Debian's libtorch-dev)
#
# Sets DuetTorch_FOUND, DuetTorch_VERSION, DuetTorch_REASON (what was found, or what is missing and what to do) and
# DuetTorch_FOLDER (where DUET_TORCH_DIR led; empty for the system's). The system's never stands in for a DUET_TORCH_DIR
# that is not usable.

set(DuetTorch_FOUND OFF)
set(DuetTorch_VERSION "")
set(DuetTorch_REASON "")
set(DuetTorch_FOLDER "")

# The folder of the wheel that python3 would import, found without importing it: that takes seconds and wants a GPU's
# libraries. The script's own folder is left out, or a folder named torch nearby would pass for the package.
function(_duet_torch_of_python out_folder out_reason)
  find_program(DUET_PYTHON python3 DOC "The python3 that DUET_TORCH_DIR=auto asks")
  mark_as_advanced(DUET_PYTHON)
  set(${out_folder} "" PARENT_SCOPE)
  if(NOT DUET_PYTHON)
    set(${out_reason} "DUET_TORCH_DIR=auto asks python3, and there is none in PATH" PARENT_SCOPE)
    return()
  endif()
  execute_process(
    COMMAND ${DUET_PYTHON} -c "import sys; sys.path = [p for p in sys.path if p]
import importlib.util
spec = importlib.util.find_spec('torch')
print(list(spec.submodule_search_locations)[0] if spec and spec.origin else '')"
    OUTPUT_VARIABLE folder ERROR_VARIABLE problem RESULT_VARIABLE status OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(status OR NOT folder)
    set(${out_reason}
        "DUET_TORCH_DIR=auto asked ${DUET_PYTHON}, which has no torch (pip install torch, or activate its environment) ${problem}"
        PARENT_SCOPE)
    return()
  endif()
  set(${out_folder} "${folder}" PARENT_SCOPE)
endfunction()

# "2.15.0" from whichever header carries the macros in this release.
function(_duet_torch_version out)
  set(${out} "unknown" PARENT_SCOPE)
  foreach(folder ${ARGN})
    foreach(header torch/headeronly/version.h torch/version.h)
      if(EXISTS ${folder}/${header})
        set(version "")
        foreach(piece MAJOR MINOR PATCH)
          file(STRINGS ${folder}/${header} line REGEX "define TORCH_VERSION_${piece} " LIMIT_COUNT 1)
          if(line MATCHES "TORCH_VERSION_${piece} ([0-9]+)")
            list(APPEND version ${CMAKE_MATCH_1})
          endif()
        endforeach()
        if(version)
          list(JOIN version "." version)
          set(${out} ${version} PARENT_SCOPE)
          return()
        endif()
      endif()
    endforeach()
  endforeach()
endfunction()

# 1 or 0: which std::string the library was compiled with, read from the names that it exports.
function(_duet_torch_cxx11_abi library out)
  file(STRINGS ${library} names REGEX "^_ZN3c10.*__cxx1112basic_string" LIMIT_COUNT 1)
  if(names)
    set(${out} 1 PARENT_SCOPE)
  else()
    set(${out} 0 PARENT_SCOPE)
  endif()
endfunction()

function(_duet_torch_find)
  if(DUET_TORCH_DIR)
    set(folder "${DUET_TORCH_DIR}")
    if(folder STREQUAL "auto")
      _duet_torch_of_python(folder reason)
      if(NOT folder)
        set(DuetTorch_REASON "${reason}" PARENT_SCOPE)
        return()
      endif()
    endif()
    get_filename_component(folder "${folder}" ABSOLUTE BASE_DIR ${CMAKE_SOURCE_DIR})
    set(includes ${folder}/include ${folder}/include/torch/csrc/api/include)
    set(torch ${folder}/lib/libtorch.so)
    set(torch_cpu ${folder}/lib/libtorch_cpu.so)
    set(c10 ${folder}/lib/libc10.so)
    foreach(file ${folder}/include/torch/csrc/api/include/torch/torch.h ${torch} ${torch_cpu} ${c10})
      if(NOT EXISTS ${file})
        set(DuetTorch_REASON
            "DUET_TORCH_DIR=${DUET_TORCH_DIR} is no LibTorch: there is no ${file} (give the unpacked LibTorch, or a wheel's torch folder)"
            PARENT_SCOPE)
        return()
      endif()
    endforeach()
    set(origin ${folder})
    set(DuetTorch_FOLDER ${folder} PARENT_SCOPE)
  else()
    find_path(DUET_TORCH_SYSTEM_INCLUDE torch/torch.h PATH_SUFFIXES torch/csrc/api/include)
    find_library(DUET_TORCH_SYSTEM_LIBRARY torch)
    find_library(DUET_TORCH_SYSTEM_CPU_LIBRARY torch_cpu)
    find_library(DUET_TORCH_SYSTEM_C10_LIBRARY c10)
    mark_as_advanced(DUET_TORCH_SYSTEM_INCLUDE DUET_TORCH_SYSTEM_LIBRARY DUET_TORCH_SYSTEM_CPU_LIBRARY
                     DUET_TORCH_SYSTEM_C10_LIBRARY)
    foreach(part INCLUDE LIBRARY CPU_LIBRARY C10_LIBRARY)
      if(NOT DUET_TORCH_SYSTEM_${part})
        set(DuetTorch_REASON "no LibTorch (apt install libtorch-dev, or -DDUET_TORCH_DIR=path|auto)" PARENT_SCOPE)
        return()
      endif()
    endforeach()
    # <root>/torch/csrc/api/include → <root>, for <ATen/…> and <c10/…>.
    get_filename_component(root ${DUET_TORCH_SYSTEM_INCLUDE}/../../../.. ABSOLUTE)
    set(includes ${root} ${DUET_TORCH_SYSTEM_INCLUDE})
    set(torch ${DUET_TORCH_SYSTEM_LIBRARY})
    set(torch_cpu ${DUET_TORCH_SYSTEM_CPU_LIBRARY})
    set(c10 ${DUET_TORCH_SYSTEM_C10_LIBRARY})
    get_filename_component(origin ${torch} DIRECTORY)
  endif()

  _duet_torch_version(version ${includes})
  _duet_torch_cxx11_abi(${c10} abi)
  if(NOT abi)
    # std::string crosses between it, libduet and GoogleTest: one program, one ABI.
    set(DuetTorch_REASON
        "LibTorch ${version} in ${origin} was built with _GLIBCXX_USE_CXX11_ABI=0; take the build with the cxx11 ABI"
        PARENT_SCOPE)
    return()
  endif()

  if(NOT TARGET duet::torch_library)
    add_library(duet::torch_library INTERFACE IMPORTED GLOBAL)
  endif()
  set_target_properties(duet::torch_library PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${includes}"
    INTERFACE_COMPILE_DEFINITIONS "_GLIBCXX_USE_CXX11_ABI=${abi}"
    # libtorch.so has no symbols of its own that we use, but it is what pulls in a CUDA half where there is one. The full
    # paths of the others give programs in the build tree their rpath. The wheel's libraries find CUDA's through rpaths of
    # their own, which the linker does not follow.
    INTERFACE_LINK_LIBRARIES "-Wl,--push-state,--no-as-needed,${torch},--pop-state;${torch_cpu};${c10}"
    INTERFACE_LINK_OPTIONS "-Wl,--allow-shlib-undefined")
  set(DuetTorch_FOUND ON PARENT_SCOPE)
  set(DuetTorch_VERSION ${version} PARENT_SCOPE)
  set(DuetTorch_REASON "LibTorch ${version} (${origin})" PARENT_SCOPE)
endfunction()

_duet_torch_find()
