package figure_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"ipcworkbook/harness/judge/gauge/figure"
)

func TestFigures(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{figure.Rate(999), "999 B/s"},
		{figure.Rate(1_234), "1.23 KB/s"},
		{figure.Rate(12_345_678), "12.3 MB/s"},
		{figure.Rate(999_499_000), "999 MB/s"},
		{figure.Rate(999_900_000), "1.00 GB/s"},
		{figure.Rate(123e9), "123 GB/s"},
		{figure.Rate(1234e9), "1,230 GB/s"},
		{figure.Time(8.314e-7), "831 ns"},
		{figure.Time(0.2e-9), "0.20 ns"},
		{figure.Time(9.996e-7), "1.00 µs"},
		{figure.Time(0.0421), "42.1 ms"},
		{figure.Time(2), "2.00 s"},
		{figure.Time(1e-7), "100 ns"},
		{figure.Count(8192), "8,192"},
		{figure.Count(-1234), "-1,234"},
		{figure.Count(123), "123"},
		{figure.KB(461_987_000), "462,000"},
		{figure.Ratio(0.456), "0.46"},
		{figure.Ratio(45.67), "45.7"},
		{figure.Ratio(0.012), "0.012"},
		{figure.Ratio(0.496, 0.5), "0.496"},
		{figure.Ratio(0.4999, 0.5), "0.499"},
		{figure.Ratio(0.5, 0.5), "0.50"},
	} {
		assert.Equal(t, c.want, c.got)
	}
}

func TestOneFarLongerBarDoesNotSetTheAxis(t *testing.T) {
	assert.Equal(t, 11.0, figure.Top([]float64{9, 10, 11, 400}))
	assert.Equal(t, 11.0, figure.Top([]float64{0.1, 10, 11}), "a short one changes nothing")
	assert.Equal(t, 5.0, figure.Top([]float64{5}))
	assert.Zero(t, figure.Top(nil))
}
