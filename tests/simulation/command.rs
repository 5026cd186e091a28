//! The simulation as a program: see `world::report`.

fn main() {
    engage_point_shop::simulation::main();
}
