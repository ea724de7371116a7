package check_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/check"
	"ipcworkbook/harness/judge/overlay"
)

func TestZ(t *testing.T) {
	chapters, err := book.Chapters()
	require.NoError(t, err)
	for _, c := range chapters {
		reference, err := overlay.Open("../../../" + c.Solution())
		require.NoError(t, err)
		o := check.Options{Root: root(t), Chapter: c, Impl: reference, Seed: 1}
		begun := time.Now()
		r, err := check.NewRecipe(context.Background(), o)
		require.NoError(t, err)
		t.Log("recipe", time.Since(begun))
		defer r.Close()
		o.Like = r
		texts, err := reference.Read()
		require.NoError(t, err)
		o.Steps = []int{1}
		for _, add := range []string{"", "\nvar xx = 1\n", "\nfunc init() { panic(1) }\n"} {
			name := reference.Files[len(reference.Files)-1]
			texts2, _ := reference.Read()
			texts2[name] = append(texts[name], add...)
			o.Impl = overlay.Memory("x", texts2)
			begun = time.Now()
			res, err := check.Run(context.Background(), o)
			require.NoError(t, err)
			t.Log(res.Verdict, time.Since(begun), res.Message)
		}
	}
}
