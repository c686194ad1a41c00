# The commands of the README. The build itself is meson's; see meson.build.
.PHONY: all demo test clean FORCE
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

clean:
	rm -rf build build-*
