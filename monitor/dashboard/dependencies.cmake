# What duet::dashboard is made of: the observer, and the Qt that it was built with or a later one of that major version.
find_package(Qt6 6.4 QUIET COMPONENTS Widgets Svg)
if(NOT Qt6_FOUND)
  set(duet_dashboard_FOUND FALSE)
  set(duet_dashboard_NOT_FOUND_MESSAGE "no Qt 6.4 with SVG (apt install qt6-base-dev qt6-svg-dev)")
elseif(NOT TARGET duet::observer)
  include(${CMAKE_CURRENT_LIST_DIR}/duet-observer-targets.cmake)
endif()
