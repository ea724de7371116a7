package check

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"ipcworkbook/harness/judge/overlay"
	"ipcworkbook/harness/step/launch"
)

// Together is one test binary of many variants of a recipe's implementation (see merged). So
// the compiler and the linker are called once, and a variant's own binary is a copy with its
// number in it. It is for verdicts, and not for what measures: a function that has many bodies
// is not inlined, and a parameter that one of them keeps is kept for all.
//
// It is built when the first of them is asked for. What does not build is parted: in the end
// who is alone is built by the recipe, which tells why.
type Together struct {
	o        Options // of the recipe's own implementation
	variants []overlay.Impl
	merged   *merged

	once   sync.Once
	err    error
	folder string
	remove func()
	at     int64 // where the number stands in the binary
	halves [2]*Together
}

// NewTogether merges as many variants as fit, in their order, and returns the others too. The
// options are those of the recipe.
func NewTogether(o Options, variants []overlay.Impl) (t *Together, others []overlay.Impl, err error) {
	m, err := merge(o.Like.texts)
	if err != nil {
		return nil, nil, err
	}
	t = &Together{o: o, merged: m}
	for _, v := range variants {
		texts, err := v.Read()
		if err != nil {
			return nil, nil, err
		}
		if m.add(texts) {
			t.variants = append(t.variants, v)
		} else {
			others = append(others, v)
		}
	}
	return t, others, nil
}

// Names are those of the variants.
func (t *Together) Names() (names []string) {
	for _, v := range t.variants {
		names = append(names, v.Name)
	}
	return names
}

// Build builds it now.
func (t *Together) Build(ctx context.Context) { t.once.Do(func() { t.err = t.build(ctx) }) }

func (t *Together) build(ctx context.Context) error {
	if len(t.variants) < 2 {
		return errors.New("there is no other one")
	}
	err := t.o.Turns.Build(func() error { return t.make(ctx) })
	if err != nil && ctx.Err() == nil {
		half := len(t.variants) / 2
		for i, some := range [][]overlay.Impl{t.variants[:half], t.variants[half:]} {
			var problem error
			t.halves[i], _, problem = NewTogether(t.o, some) // who fits among many fits among few
			err = errors.Join(err, problem)
		}
	}
	return err
}

func (t *Together) make(ctx context.Context) (err error) {
	mark := rand.Uint64()
	impl := t.merged.impl("together", t.o.Chapter.Name, mark)
	if t.folder, t.remove, err = launch.Folder(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			t.remove()
			t.remove = nil
		}
	}()
	like := filepath.Join(t.folder, "like")
	if err := os.Mkdir(like, 0o700); err != nil {
		return err
	}
	defer os.RemoveAll(like)
	chapter := filepath.Join(t.o.Root, t.o.Chapter.Dir())
	if _, err := overlay.Make(like, chapter, impl, t.o.Chapter.Tests()); err != nil {
		return err
	}
	if err := t.o.Like.build(ctx, like, chapter, t.binary(), impl.Files); err != nil {
		return err
	}
	text, err := os.ReadFile(t.binary())
	if err != nil {
		return err
	}
	sign := binary.NativeEndian.AppendUint64(nil, mark)
	if n := bytes.Count(text, sign); n != 1 {
		return fmt.Errorf("the mark stands %d times in the binary", n)
	}
	t.at = int64(bytes.Index(text, sign) + len(sign))
	return nil
}

func (t *Together) binary() string { return filepath.Join(t.folder, "together.test") }

// has says whether a variant is one of them.
func (t *Together) has(name string) bool { return t != nil && t.number(name) > 0 }

// number is that of a variant; 0 if it is not there.
func (t *Together) number(name string) int {
	return 1 + slices.IndexFunc(t.variants, func(v overlay.Impl) bool { return v.Name == name })
}

// copy makes a variant's own binary. An error says that it has to be built alone.
func (t *Together) copy(ctx context.Context, name, to string) error {
	t.Build(ctx)
	for _, half := range t.halves {
		if half.has(name) {
			return half.copy(ctx, name, to)
		}
	}
	if t.err != nil {
		return t.err
	}
	text, err := os.ReadFile(t.binary())
	if err != nil {
		return err
	}
	binary.NativeEndian.PutUint64(text[t.at:], uint64(t.number(name)))
	return writeProgram(to, text)
}

// writeProgram writes a program that can be executed at once. One that somebody has open for
// writing cannot (ETXTBSY), and what this process starts just then would have it open until it
// has become another program (golang/go#22315).
func writeProgram(to string, text []byte) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(to, text, 0o700)
}

// Close removes what it has made, and waits for what it makes just now. Nil is nothing to close.
func (t *Together) Close() {
	if t == nil {
		return
	}
	t.once.Do(func() { t.err = errors.New("it is closed") })
	if t.remove != nil {
		t.remove()
		t.remove, t.err = nil, errors.New("it is closed")
	}
	for _, half := range t.halves {
		half.Close()
	}
}
