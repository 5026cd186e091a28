"""Builds a program with each library of the package, and runs both. They need no network."""

import os

from conan import ConanFile
from conan.tools.build import can_run
from conan.tools.cmake import CMake, cmake_layout


class TestPackage(ConanFile):
    settings = "os", "arch", "compiler", "build_type"
    generators = "CMakeToolchain", "CMakeDeps", "VirtualRunEnv"

    def requirements(self) -> None:
        self.requires(self.tested_reference_str)

    def layout(self) -> None:
        cmake_layout(self)

    def build(self) -> None:
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def test(self) -> None:
        if can_run(self):
            for name in ("opens-shared", "opens-static"):
                program = os.path.join(self.cpp.build.bindir, name)
                if self.settings.os != "Windows" or name == "opens-shared":
                    self.run(program, env="conanrun")
