# SPDX-License-Identifier: BSD-3-Clause
"""The plugin's command line, as ISA conformance suites use it."""
import os
import shutil
import subprocess

import pytest

PLUGIN = os.environ["WEIR_CONFORMANCE"]
CLANG = shutil.which("clang-19")

RETURN_5 = "b7 00 00 00 05 00 00 00 95 00 00 00 00 00 00 00"
LOAD_BYTE_2 = "71 10 02 00 00 00 00 00 95 00 00 00 00 00 00 00"
LENGTH = "bf 20 00 00 00 00 00 00 95 00 00 00 00 00 00 00"
UNINITIALISED = "bf 60 00 00 00 00 00 00 95 00 00 00 00 00 00 00"
CALL_5 = "85 00 00 00 05 00 00 00 b7 00 00 00 07 00 00 00 95 00 00 00 00 00 00 00"
CALL_77 = "85 00 00 00 4d 00 00 00 b7 00 00 00 07 00 00 00 95 00 00 00 00 00 00 00"


def run(*args, stdin=""):
    if isinstance(stdin, str):
        stdin = stdin.encode()
    done = subprocess.run([PLUGIN, *args], input=stdin, capture_output=True, check=False)
    return done.returncode, done.stdout.decode().strip(), done.stderr.decode()


@pytest.fixture(params=["--interp", "--jit"])
def engine(request):
    return request.param


def test_program_from_stdin(engine):
    assert run(engine, stdin=RETURN_5)[:2] == (0, "5")


def test_default_engine():
    assert run(stdin=RETURN_5)[:2] == (0, "5")


def test_program_from_argument(engine):
    assert run(engine, "--program", RETURN_5.replace(" ", ""))[:2] == (0, "5")


@pytest.mark.parametrize("memory", ["aa bb cc", "aabbcc", " aa  bb cc "])
def test_memory(engine, memory):
    assert run(memory, engine, stdin=LOAD_BYTE_2)[:2] == (0, "cc")
    assert run(memory, engine, stdin=LENGTH)[:2] == (0, "3")


def test_all_64_bits(engine):
    minus_two = "b7 00 00 00 fe ff ff ff 95 00 00 00 00 00 00 00"
    assert run(engine, stdin=minus_two)[:2] == (0, "fffffffffffffffe")


def test_helper_5(engine):
    assert run(engine, stdin=CALL_5)[:2] == (0, "7")
    code, out, err = run(engine, stdin=CALL_77)
    assert (code, out) == (1, "") and "77" in err


def test_verify(engine):
    assert run(engine, "--verify", stdin=RETURN_5)[:2] == (0, "5")
    code, out, err = run(engine, "--verify", stdin=UNINITIALISED)
    assert (code, out) == (1, "") and "R6" in err
    assert run(engine, stdin=UNINITIALISED)[0] == 0


@pytest.mark.parametrize("program", ["", "b7", "zz", RETURN_5[:-3], "ff 00 00 00 00 00 00 00"])
def test_bad_programs(engine, program):
    code, out, err = run(engine, stdin=program)
    assert (code, out) == (1, "") and err


def test_bad_usage():
    assert run("--nonsense")[0] == 2
    assert run("aa", "bb")[0] == 2


SOURCE = r"""
static __attribute__((noinline)) int before(int x) { return x * 3 + 1; }
int after(int x);
int main(unsigned char *memory, unsigned long length)
{
	int sum = 0;

	for (unsigned long i = 0; i < length; i++)
		sum += memory[i];
	return before(sum) + after(sum);
}
__attribute__((noinline)) int after(int x) { return x ^ 0x55; }
"""


@pytest.fixture(scope="module")
def elf(tmp_path_factory):
    if not CLANG:
        pytest.skip("clang-19 is not installed")
    folder = tmp_path_factory.mktemp("elf")
    (folder / "p.c").write_text(SOURCE)
    subprocess.run([CLANG, "-target", "bpf", "-ffreestanding", "-O2", "-mcpu=v3", "-c",
                    str(folder / "p.c"), "-o", str(folder / "p.o")], check=True)
    return (folder / "p.o").read_bytes()


def test_elf(engine, elf):
    assert run("01 02 03", engine, "--elf", stdin=elf)[:2] == (0, f"{6 * 3 + 1 + (6 ^ 0x55):x}")


def test_elf_cut_short_or_flipped(engine, elf):
    for cut in range(0, len(elf), 61):
        assert run("01 02", engine, "--elf", stdin=elf[:cut])[0] == 1
    for at in range(64):  # the header; nothing judges what a changed program would do
        broken = bytearray(elf)
        broken[at] ^= 0xFF
        assert run("01 02", "--interp", "--elf", stdin=bytes(broken))[0] in (0, 1)
