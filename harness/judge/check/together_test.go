package check_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/judge/check"
	"ipcworkbook/harness/judge/overlay"
	"ipcworkbook/harness/verdict"
)

// Variants that are built together are each what they are alone: they run their own
// statements, with the lines of their own files, and what does not fit is built alone.
func TestVariantsInOneBinary(t *testing.T) {
	o := referenceOf(t, "pipe", 2)
	reference := o.Impl

	const send = "func (w *Writer) Send(p []byte) error {\n"
	const constructor = "func New("
	variant := func(name, before, does string) overlay.Impl {
		edits := []overlay.Edit{{File: "pipe.go", Old: send, New: send + does}}
		if before != "" {
			edits = append(edits, overlay.Edit{File: "pipe.go", Old: constructor, New: before + constructor})
		}
		texts, err := reference.Read()
		require.NoError(t, err)
		require.NoError(t, overlay.Apply(texts, edits))
		return overlay.Memory(name, texts)
	}
	together := []overlay.Impl{
		variant("first", "", "\tpanic(\"the first\")\n"),
		variant("second", "// A comment.\n\n", "\tpanic(\"the second\")\n"),
		variant("helper", "func more() string { return \"a function more\" }\n\n", "\tpanic(more())\n"),
		variant("label", "", "out:\n\tfor {\n\t\tbreak out\n\t}\n\tpanic(\"after the label\")\n"),
		variant("again", "", "out:\n\tfor {\n\t\tfor {\n\t\t\tbreak out\n\t\t}\n\t}\n\tpanic(\"after the label again\")\n"),
	}
	alone := []overlay.Impl{
		variant("other helper", "func more() string { return \"another one\" }\n\n", "\tpanic(more())\n"),
		variant("builtin", "func imag(int, int) string { return \"of its own\" }\n\n", "\tpanic(imag(1, 2))\n"),
		variant("variable", "var more = \"a variable more\"\n\n", "\tpanic(more)\n"),
		variant("init", "func init() { panic(\"at its start\") }\n\n", "\n"),
	}
	var others []overlay.Impl
	var err error
	o.Together, others, err = check.NewTogether(o, append(slices.Clone(together), alone...))
	require.NoError(t, err)
	defer o.Together.Close()
	require.Len(t, others, len(alone))
	for i := range others {
		require.Equal(t, alone[i].Name, others[i].Name)
	}
	run := func(impl overlay.Impl) check.Step {
		t.Helper()
		o.Impl = impl
		r, err := check.Run(t.Context(), o)
		require.NoError(t, err)
		require.Equal(t, verdict.Crashed, r.Verdict, "%s: %s", impl.Name, r.Message)
		return r.Steps[0]
	}
	for i, says := range []string{"another one", "of its own", "a variable more", "at its start"} {
		require.Contains(t, run(alone[i]).Message, says)
	}
	o.Together.Build(t.Context())
	o.Like.Close() // from now on nothing can be built
	withoutGo(t)
	for i, says := range []string{"the first", "the second", "a function more", "after the label", "after the label again"} {
		step := run(together[i])
		require.Contains(t, step.Message, says)
		texts, err := together[i].Read()
		require.NoError(t, err)
		line := strings.Split(string(texts["pipe.go"]), "\n")[step.Line-1]
		require.Contains(t, line, "panic(", "%s: line %d\n%s", together[i].Name, step.Line, step.Message)
	}
}

// One that does not build by itself does not keep the others from being built together, and the
// compiler tells of it.
func TestWhatDoesNotBuildTogether(t *testing.T) {
	o := referenceOf(t, "pipe", 2)
	const send = "func (w *Writer) Send(p []byte) error {\n"
	all := map[string]overlay.Impl{}
	var list []overlay.Impl
	for _, name := range []string{"a", "b", "broken", "d"} {
		does := "\tpanic(\"" + name + " runs\")\n"
		if name == "broken" {
			does = "\treturn \"\"\n"
		}
		one := edited(t, o.Chapter, "pipe.go", send, send+does)
		texts, err := one.Read()
		require.NoError(t, err)
		all[name] = overlay.Memory(name, texts)
		list = append(list, all[name])
	}
	var err error
	o.Together, _, err = check.NewTogether(o, list)
	require.NoError(t, err)
	defer o.Together.Close()
	for _, name := range []string{"a", "b", "d", "broken"} {
		o.Impl = all[name]
		r, err := check.Run(t.Context(), o)
		require.NoError(t, err)
		if name == "broken" {
			require.Equal(t, verdict.Broken, r.Verdict)
			require.Contains(t, r.Message, "broken/pipe.go:")
			continue
		}
		require.Equal(t, verdict.Crashed, r.Verdict)
		require.Contains(t, r.Steps[0].Message, name+" runs")
	}
}
