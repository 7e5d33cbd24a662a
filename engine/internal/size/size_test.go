package size

import "testing"

func TestSizes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"0": 0, "64KiB": 64 << 10, "512MiB": 512 << 20, "4GiB": 4 << 30, "1TiB": 1 << 40} {
		got, err := Parse(text)
		if err != nil || got != want || Format(got) != text {
			t.Errorf("%s: %d %v, back %s", text, got, err, Format(got))
		}
	}
	if got := Format(1536 << 20); got != "1536MiB" {
		t.Error(got)
	}
	for _, text := range []string{"", "512", "-1MiB", "1.5GiB", "512MB", "512 MiB", "MiB", "99999999999TiB", "+1MiB"} {
		if got, err := Parse(text); err == nil {
			t.Errorf("%q is taken for %d", text, got)
		}
	}
}
