package report_test

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"html"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

//go:embed testdata/probe.js
var probe string

// The widths at which the page is looked at: a small phone, a sheet of paper, a
// desk.
var widths = []int{360, 680, 1280}

// What the probe saw in one frame.
type seen struct {
	Width, ScrollWidth      int
	Background, Ink         string
	Outside, Spilled, Faint []string
	Tables                  []seenTable
}

type seenTable struct {
	Articles bool
	End      string // the last label of the axis
	Ticks    []struct {
		Text string
		Box  box
	}
	Rows []seenRow
}

type seenRow struct {
	Name, Interval, Failed string
	Values                 []string
	Axis                   *box
	Bars                   []seenBar
}

type seenBar struct {
	Box         box
	Colour, Cut string
	Whisker     *box
}

type box struct{ Left, Width, Height float64 }

func (b box) right() float64 { return b.Left + b.Width }

// chromium runs it and returns what it printed. The test is skipped where there
// is none.
func chromium(t *testing.T, arguments ...string) string {
	t.Helper()
	var program string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	if program == "" {
		t.Skip("no chromium here: what a browser shows was not looked at (apt-get install chromium)")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars", "--user-data-dir=" + t.TempDir(),
	}, arguments...)...)
	// Its shared memory is files, too: one that is killed removes none of them. The folder's path is
	// short, as that of a socket has to be.
	own, err := os.MkdirTemp("", "browser")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(own) })
	cmd.Env = append(cmd.Environ(), "TMPDIR="+own)
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.Output()
	require.NoError(t, err, "%s", program)
	return string(out)
}

// Schemes are how a reader may have asked for the page.
const (
	light = "--blink-settings=preferredColorScheme=1"
	dark  = "--blink-settings=preferredColorScheme=0"
)

// look shows the sample's page in one frame for each width. A window cannot be
// as narrow as a phone, a frame can.
func look(t *testing.T, scheme string) []seen {
	t.Helper()
	page := html.EscapeString(string(render(t, sample())))
	var frames strings.Builder
	for _, width := range widths {
		fmt.Fprintf(&frames, `<iframe style="border:0;height:900px;width:%dpx" srcdoc="%s"></iframe>`, width, page)
	}
	file := filepath.Join(t.TempDir(), "frames.html")
	content := `<!DOCTYPE html><meta charset="utf-8"><pre id="seen"></pre><script>` + probe + `</script>` + frames.String()
	require.NoError(t, os.WriteFile(file, []byte(content), 0o600))

	dom := chromium(t, scheme, "--dump-dom", "file://"+file)
	_, after, found := strings.Cut(dom, `<pre id="seen">`)
	require.True(t, found, "the frames' own page came back")
	told, _, _ := strings.Cut(after, "</pre>")
	require.NotEmpty(t, told, "the probe ran to its end")
	var all []seen
	require.NoError(t, json.Unmarshal([]byte(html.UnescapeString(told)), &all))
	require.Len(t, all, len(widths))
	return all
}

func TestBrowserShowsAllOfThePageAtEveryWidth(t *testing.T) {
	for i, s := range look(t, light) {
		t.Run(strconv.Itoa(widths[i]), func(t *testing.T) {
			require.Equal(t, widths[i], s.Width)
			assert.LessOrEqual(t, s.ScrollWidth, s.Width, "the page scrolls sideways")
			assert.Empty(t, s.Outside, "elements that lie outside")
			assert.Empty(t, s.Spilled, "text that leaves its cell")
			assert.Empty(t, s.Faint, "text with too little contrast")
			for _, table := range s.Tables {
				for n := 1; n < len(table.Ticks); n++ {
					assert.Greater(t, table.Ticks[n].Box.Left, table.Ticks[n-1].Box.right(), "%q and %q of an axis overlap",
						table.Ticks[n-1].Text, table.Ticks[n].Text)
				}
			}
		})
	}
}

func TestBrowserDrawsBarsAsLongAsTheirFigures(t *testing.T) {
	for i, s := range look(t, light) {
		t.Run(strconv.Itoa(widths[i]), func(t *testing.T) {
			bars, cut, whiskers, failed := 0, 0, 0, 0
			for _, table := range s.Tables {
				end := figure(t, table.End)
				for _, row := range table.Rows {
					if row.Failed != "" {
						failed++
						assert.Empty(t, row.Bars, row.Name)
						continue
					}
					require.NotNil(t, row.Axis)
					assert.Greater(t, row.Axis.Width, 80.0, "room for the bars of %s", row.Name)
					for n, b := range row.Bars {
						bars++
						value := figure(t, row.Values[n])
						what := fmt.Sprintf("%s, %s of %s", row.Name, row.Values[n], table.End)
						assert.InDelta(t, row.Axis.Left, b.Box.Left, 0.1, "%s begins at zero", what)
						assert.Greater(t, b.Box.Height, 4.0, what)
						if value > end {
							cut++
							if len(row.Bars) == 1 {
								assert.Contains(t, b.Cut, "× the scale", what)
							}
							assert.InDelta(t, row.Axis.Width, b.Box.Width, 0.1, what)
							continue
						}
						assert.Empty(t, b.Cut, what)
						near(t, value/end*row.Axis.Width, b.Box.Width, 0.5, what)
						if b.Whisker == nil || row.Interval == "" {
							continue
						}
						whiskers++
						low, high := interval(t, row.Interval)
						near(t, low/end*row.Axis.Width, b.Whisker.Left-row.Axis.Left, 0.5, "the low end of "+what)
						near(t, min(high/end, 1)*row.Axis.Width, b.Whisker.right()-row.Axis.Left, 2.1 /* its two ends */, "the high end of "+what)
					}
				}
			}
			// As many as the sample has: none was overlooked.
			assert.Greater(t, bars, 60)
			assert.Greater(t, whiskers, 30)
			assert.GreaterOrEqual(t, cut, 8)
			assert.GreaterOrEqual(t, failed, 7)
		})
	}
}

// near allows two parts of a hundred, and for what is short some pixels.
func near(t *testing.T, want, got, pixels float64, what string) {
	t.Helper()
	assert.InDelta(t, want, got, max(want*0.02, pixels), what)
}

func TestBrowserGivesAContestantOneColour(t *testing.T) {
	colours := map[string]map[string]bool{}
	for _, s := range look(t, light) {
		for _, table := range s.Tables {
			for _, row := range table.Rows {
				for _, b := range row.Bars {
					if colours[row.Name] == nil {
						colours[row.Name] = map[string]bool{}
					}
					colours[row.Name][b.Colour] = true
				}
			}
		}
	}
	other := map[string]string{}
	for _, name := range []string{"yours", "reference", "Python", "C", "limit", "memcpy"} {
		require.Len(t, colours[name], 1, name)
		for colour := range colours[name] {
			assert.Empty(t, other[colour], "%s has the colour of another one", name)
			other[colour] = name
		}
	}
}

func TestBrowserShowsLightTextOnDarkWhereThatIsAskedFor(t *testing.T) {
	for scheme, isDark := range map[string]bool{light: false, dark: true} {
		for _, s := range look(t, scheme) {
			assert.Equal(t, isDark, brightness(t, s.Background) < 60, "background %s", s.Background)
			assert.Equal(t, isDark, brightness(t, s.Ink) > 180, "text %s", s.Ink)
			assert.Empty(t, s.Faint, "text with too little contrast")
		}
		// What is computed is one thing; the picture is another.
		dir := t.TempDir()
		page, picture := filepath.Join(dir, "page.html"), filepath.Join(dir, "page.png")
		require.NoError(t, os.WriteFile(page, render(t, sample()), 0o600))
		chromium(t, scheme, "--window-size=800,600", "--screenshot="+picture, "file://"+page)
		f, err := os.Open(picture)
		require.NoError(t, err)
		defer f.Close()
		im, err := png.Decode(f)
		require.NoError(t, err)
		r, g, b, _ := im.At(3, 3).RGBA()
		assert.Equal(t, isDark, (r+g+b)/3>>8 < 60, "the picture's corner")
	}
}

var number = regexp.MustCompile(`^([\d.,]+)(?: (\S+))?$`)

// figure reads a value as it is shown: "1.21 GB/s", "9.41 µs", "1,320,000".
func figure(t *testing.T, text string) float64 {
	t.Helper()
	text = strings.TrimSuffix(text, " as published")
	m := number.FindStringSubmatch(text)
	require.NotNil(t, m, "a figure: %q", text)
	v, err := strconv.ParseFloat(strings.ReplaceAll(m[1], ",", ""), 64)
	require.NoError(t, err)
	factor, ok := map[string]float64{"": 1, "B/s": 1, "KB/s": 1e3, "MB/s": 1e6, "GB/s": 1e9, "ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1}[m[2]]
	require.True(t, ok, "a unit: %q", text)
	return v * factor
}

// interval reads "1.17 – 1.26 GB/s".
func interval(t *testing.T, text string) (low, high float64) {
	t.Helper()
	from, to, ok := strings.Cut(text, " – ")
	require.True(t, ok, "an interval: %q", text)
	if !strings.Contains(from, " ") {
		from += " " + strings.Fields(to)[1]
	}
	return figure(t, from), figure(t, to)
}

// brightness is 0 to 255.
func brightness(t *testing.T, colour string) float64 {
	t.Helper()
	var r, g, b float64
	_, err := fmt.Sscanf(colour, "rgb(%f, %f, %f)", &r, &g, &b)
	require.NoError(t, err, colour)
	return (r + g + b) / 3
}
