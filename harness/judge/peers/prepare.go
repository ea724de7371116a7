package peers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// The languages of the peers.
const (
	C      = "c"
	Python = "python"
	Limit  = "limit" // in Go; the same one for every name
)

// Peer is a peer that is ready to run, or the reason why it is not.
type Peer struct {
	Argv    []string // to be followed by BENCHMARK SIZE COUNT
	Version string   // of the compiler or interpreter: "gcc 12.2.0"
	// Missing says why there is no such peer on this machine. Then there is
	// nothing else.
	Missing string
}

// missing is a reason for [Peer.Missing].
type missing string

func (m missing) Error() string { return string(m) }

// Prepare makes a peer ready to run. What is built goes to the folder tmp, which
// must be there as long as the peer is used. root is the workbook's folder. An
// error is the workbook's own fault: a peer that does not compile, for example.
func Prepare(ctx context.Context, root, name, language, tmp string) (Peer, error) {
	tmp, err := filepath.Abs(tmp)
	if err != nil {
		return Peer{}, err
	}
	var p Peer
	switch language {
	case C:
		p, err = prepareC(ctx, root, name, tmp)
	case Python:
		p, err = preparePython(ctx, root, name, tmp)
	case Limit:
		p, err = prepareLimit(ctx, root, tmp)
	default:
		err = fmt.Errorf("there are no peers in the language %q", language)
	}
	var m missing
	switch {
	case ctx.Err() != nil:
		return Peer{}, ctx.Err()
	case errors.As(err, &m):
		return Peer{Missing: string(m)}, nil
	case err != nil:
		return Peer{}, err
	}
	return p, nil
}

// source is the absolute path of a peer's source.
func source(root, file string) (string, error) {
	path, err := filepath.Abs(filepath.Join(root, "harness", "judge", "peers", file))
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", missing("there is no peer harness/judge/peers/" + file)
	}
	return path, nil
}

// run runs a tool and returns its standard output. The error is what it wrote to
// the standard error. Its temporary files go to the folder tmp.
func run(ctx context.Context, tmp string, argv ...string) (string, error) {
	return runIn(ctx, "", tmp, argv...)
}

// runIn does the same in the folder dir.
func runIn(ctx context.Context, dir, tmp string, argv ...string) (string, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = append(cmd.Environ(), "TMPDIR="+tmp, "GOTMPDIR="+tmp)
	// A compiler's own children have the output open too. If it is killed they
	// are not waited for.
	cmd.WaitDelay = time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		if text := strings.TrimSpace(errs.String()); text != "" {
			return "", errors.New(text)
		}
		return "", err
	}
	return out.String(), nil
}

func prepareC(ctx context.Context, root, name, tmp string) (Peer, error) {
	src, err := source(root, name+".c")
	if err != nil {
		return Peer{}, err
	}
	cc, err := Compiler()
	if err != nil {
		return Peer{}, err
	}
	binary := filepath.Join(tmp, name+"-c")
	compile := func(file string) []string { return slices.Concat(cc, []string{"-O2", "-o", binary, file}) }
	if _, err := run(ctx, tmp, compile(src)...); err != nil {
		// Some machines have a compiler but not the C library's headers.
		hello := filepath.Join(tmp, "hello.c")
		if err := os.WriteFile(hello, []byte("#include <stdio.h>\nint main(void) { puts(\"hello\"); }\n"), 0o600); err != nil {
			return Peer{}, err
		}
		if _, err := run(ctx, tmp, compile(hello)...); err != nil {
			return Peer{}, missing(fmt.Sprintf("%s does not compile C here: %s", cc[0], firstLine(err)))
		}
		return Peer{}, fmt.Errorf("the peer harness/judge/peers/%s.c does not compile:\n%w", name, err)
	}
	return Peer{Argv: []string{binary}, Version: compilerVersion(ctx, cc, tmp)}, nil
}

// Compiler is the command of the C compiler: the first one that is there.
func Compiler() ([]string, error) {
	names := []string{"cc", "gcc", "clang"}
	// CC may have flags: "gcc -m64".
	own := strings.Fields(os.Getenv("CC"))
	if len(own) > 0 {
		names = append([]string{own[0]}, names...)
	}
	for i, name := range names {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if i == 0 && len(own) > 0 {
			return append([]string{path}, own[1:]...), nil
		}
		return []string{path}, nil
	}
	return nil, missing("no C compiler: none of " + strings.Join(names, ", ") + " is in PATH")
}

// compilerVersion asks the preprocessor, since cc is gcc here and clang there,
// and what --version prints is different everywhere.
func compilerVersion(ctx context.Context, cc []string, tmp string) string {
	out, _ := run(ctx, tmp, slices.Concat(cc, []string{"-dM", "-E", "-x", "c", "/dev/null"})...)
	macros := make(map[string]string)
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) == 3 {
			macros[f[1]] = f[2]
		}
	}
	dots := func(names ...string) string {
		for i := range names {
			names[i] = macros[names[i]]
		}
		return strings.Join(names, ".")
	}
	switch {
	case macros["__clang__"] != "":
		return "clang " + dots("__clang_major__", "__clang_minor__", "__clang_patchlevel__")
	case macros["__GNUC__"] != "":
		return "gcc " + dots("__GNUC__", "__GNUC_MINOR__", "__GNUC_PATCHLEVEL__")
	}
	return filepath.Base(cc[0])
}

// python prints what Prepare wants to know, in a form that Python 2 can print too.
const python = `import sys
if sys.version_info >= (3, 8):
    import multiprocessing
print("%d.%d.%d" % sys.version_info[:3])
print(int(sys.version_info >= (3, 8)))
print(sys.executable)`

func preparePython(ctx context.Context, root, name, tmp string) (Peer, error) {
	src, err := source(root, name+".py")
	if err != nil {
		return Peer{}, err
	}
	path, err := exec.LookPath("python3")
	if err != nil {
		return Peer{}, missing("python3 is not installed")
	}
	out, err := run(ctx, tmp, path, "-c", python)
	if err != nil {
		// A version manager puts a python3 into PATH that may have nothing behind it.
		return Peer{}, missing("python3 does not run: " + lastLine(err))
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) < 2 {
		return Peer{}, missing(fmt.Sprintf("python3 does not run: it printed %q", out))
	}
	version := "Python " + lines[0]
	if lines[1] != "1" {
		return Peer{}, missing(version + " is too old: the peers need 3.8")
	}
	if len(lines) > 2 {
		path = lines[2] // a version manager's python3 is a script that looks for this one
	}
	// With -B nothing is left in the workbook's folder.
	return Peer{Argv: []string{path, "-B", src}, Version: version}, nil
}

func prepareLimit(ctx context.Context, root, tmp string) (Peer, error) {
	path, err := exec.LookPath("go")
	if err != nil {
		return Peer{}, missing("go is not in PATH")
	}
	binary := filepath.Join(tmp, "limit")
	if _, err := runIn(ctx, root, tmp, path, "build", "-buildvcs=false", "-o", binary, "./harness/judge/peers/limit"); err != nil {
		return Peer{}, fmt.Errorf("the peer harness/judge/peers/limit does not build:\n%w", err)
	}
	return Peer{Argv: []string{binary}, Version: runtime.Version()}, nil
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

func lastLine(err error) string {
	text := err.Error()
	return text[strings.LastIndex(text, "\n")+1:]
}
