package verify

import (
	"context"
	"slices"
	"strings"
	"sync"

	"ipcworkbook/harness/judge/check"
	"ipcworkbook/harness/judge/overlay"
	"ipcworkbook/harness/verdict"
)

// inOneBinary is how many known-wrong solutions are built together.
const inOneBinary = 40

// together are the chapter's known-wrong solutions, many in a binary.
type together struct {
	names []string // of those that may be built so
	once  sync.Once
	all   []*group
	ahead sync.WaitGroup
}

// group is one binary.
type group struct {
	*check.Together
	next  *group // nil is none
	begun sync.Once
	mu    sync.Mutex
	need  map[string]bool // who has not passed yet
}

// fits says that a known-wrong solution may share a binary. One that fails by how much it
// allocates may not: the compiler decides for a whole function where a variable is kept.
func (v *verifier) fits(w Wrong) bool {
	s, err := v.chapter.Step(w.Step)
	return err == nil && w.Of == "" && w.Verdict != verdict.Broken && !v.allocates(s)
}

// group is that of a variant; nil if it is built alone. The next one is built meanwhile.
func (v *verifier) group(ctx context.Context, o check.Options) *group {
	if o.Like == nil || !strings.HasPrefix(o.Impl.Name, "wrong/") {
		return nil
	}
	v.together.once.Do(func() { v.together.make(v, o) })
	for _, g := range v.together.all {
		g.mu.Lock()
		is := g.need[o.Impl.Name]
		g.mu.Unlock()
		if !is {
			continue
		}
		g.begun.Do(func() {
			if g.next != nil {
				v.together.ahead.Go(func() { g.Build(ctx); g.next.Build(ctx) })
			}
		})
		return g
	}
	return nil
}

// make forms the groups. Who does not fit to the others is tried with those that are left.
func (t *together) make(v *verifier, o check.Options) {
	var left []overlay.Impl
	for _, name := range t.names {
		if impl, err := Variant(v.Root, v.chapter, "wrong", name); err == nil {
			left = append(left, impl)
		}
	}
	for more := true; more; {
		more = false
		var others []overlay.Impl
		for some := range slices.Chunk(left, inOneBinary) {
			one, left, err := check.NewTogether(o, some)
			if err != nil || len(left) > len(some)-2 {
				others = append(others, some...)
				continue
			}
			others = append(others, left...)
			more = true
			t.add(one)
		}
		left = others
	}
}

func (t *together) add(one *check.Together) {
	g := &group{Together: one, need: map[string]bool{}}
	for _, name := range one.Names() {
		g.need[name] = true
	}
	if n := len(t.all); n > 0 {
		t.all[n-1].next = g
	}
	t.all = append(t.all, g)
}

// passed says that a known-wrong solution needs no binary any more.
func (t *together) passed(name string) {
	for _, g := range t.all {
		g.mu.Lock()
		last := g.need[name] && len(g.need) == 1
		delete(g.need, name)
		g.mu.Unlock()
		if last {
			g.Close()
		}
	}
}

func (t *together) close() {
	t.ahead.Wait()
	for _, g := range t.all {
		g.Close()
	}
}
