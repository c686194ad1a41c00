# The commands of the README. The build itself is meson's; see meson.build.
.PHONY: all demo test module clean FORCE
all: build/viaduct

build/build.ninja:
	@tools/setup.sh build
	meson setup build

build/viaduct: build/build.ninja FORCE
	@ninja -C build

demo: all
	@tools/setup.sh demo
	@tools/demo.sh

test: all
	@tools/setup.sh test
	@tests/run $(TESTS)

# Linux's driver for the register disk, for the bundled guest's kernel (docs/linux-driver.md).
module: all
	@tools/setup.sh test
	@guests/linux/build.sh build/guests/linux

clean:
	rm -rf build build-*
