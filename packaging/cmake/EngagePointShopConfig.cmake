# find_package(EngagePointShop) defines EngagePointShop::shared and, on Linux,
# EngagePointShop::static.
get_filename_component(_eps_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)

if(NOT TARGET EngagePointShop::shared)
  add_library(EngagePointShop::shared SHARED IMPORTED GLOBAL)
  set_target_properties(EngagePointShop::shared PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${_eps_prefix}/include")
  if(WIN32)
    if(MSVC)
      set(_eps_import "${_eps_prefix}/lib/engage_point_shop.lib")
    else()
      set(_eps_import "${_eps_prefix}/lib/libengage_point_shop.dll.a")
    endif()
    set_target_properties(EngagePointShop::shared PROPERTIES
      IMPORTED_LOCATION "${_eps_prefix}/bin/engage_point_shop.dll" IMPORTED_IMPLIB "${_eps_import}")
    unset(_eps_import)
  else()
    set_target_properties(EngagePointShop::shared PROPERTIES
      IMPORTED_LOCATION "${_eps_prefix}/lib/libengage_point_shop.so.1" IMPORTED_SONAME "libengage_point_shop.so.1")
  endif()
endif()

if(NOT WIN32 AND NOT TARGET EngagePointShop::static)
  add_library(EngagePointShop::static STATIC IMPORTED GLOBAL)
  set_target_properties(EngagePointShop::static PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${_eps_prefix}/include"
    IMPORTED_LOCATION "${_eps_prefix}/lib/libengage_point_shop.a"
    # The list that rustc prints (native-static-libs).
    INTERFACE_LINK_LIBRARIES "@NATIVE_LIBRARIES@")
endif()

unset(_eps_prefix)
