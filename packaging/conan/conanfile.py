"""The Conan recipe: packages an unpacked archive of a release.

    tar xzf engage-point-shop-0.1.0-linux-x64.tar.gz && cd engage-point-shop-0.1.0-linux-x64
    conan export-pkg PATH/TO/packaging/conan --version 0.1.0 -o "&:archive=$PWD"

CMake finds EngagePointShop::shared and, on Linux, EngagePointShop::static.
"""

import os

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.files import copy


class EngagePointShop(ConanFile):
    name = "engage-point-shop"
    description = "Sell loyalty rewards for points at the till"
    license = "MIT OR Apache-2.0"
    package_type = "unknown"
    settings = "os", "arch"
    options = {"archive": ["ANY"]}
    default_options = {"archive": ""}

    def package_id(self) -> None:
        # The folder is where the files come from, and not what they are.
        self.info.options.clear()

    def package(self) -> None:
        archive = str(self.options.archive)
        if not os.path.exists(os.path.join(archive, "include", "engage_point_shop.h")):
            raise ConanInvalidConfiguration(f"{archive!r} is no unpacked archive. Set -o '&:archive=FOLDER'.")
        copy(self, "*", src=archive, dst=self.package_folder)

    def package_info(self) -> None:
        self.cpp_info.set_property("cmake_file_name", "EngagePointShop")
        shared = self.cpp_info.components["shared"]
        shared.set_property("cmake_target_name", "EngagePointShop::shared")
        shared.set_property("pkg_config_name", "engage_point_shop")
        shared.libs = ["engage_point_shop"]
        if self.settings.os == "Windows":
            return
        static = self.cpp_info.components["static"]
        static.set_property("cmake_target_name", "EngagePointShop::static")
        static.set_property("pkg_config_name", "engage_point_shop-static")
        static.libs = ["libengage_point_shop.a"]
        static.system_libs = ["util", "rt", "pthread", "m", "dl"]
