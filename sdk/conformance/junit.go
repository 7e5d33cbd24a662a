package conformance

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Time     string      `xml:"time,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name    string        `xml:"name,attr"`
	Class   string        `xml:"classname,attr"`
	Time    string        `xml:"time,attr"`
	Failure *junitFailure `xml:"failure,omitempty"`
	Skipped *junitSkipped `xml:"skipped,omitempty"`
}

type junitFailure struct {
	Type    string `xml:"type,attr"`
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

type junitSkipped struct {
	Message string `xml:"message,attr"`
}

// WriteJUnit writes the report as the XML that CI systems read.
func (r *Report) WriteJUnit(out io.Writer) error {
	suite := junitSuite{Name: "conformance of " + r.Plugin + " " + r.Version, Tests: len(r.Checks)}
	total := 0.0
	for _, c := range r.Checks {
		seconds := c.Duration.Seconds()
		total += seconds
		one := junitCase{Name: c.Name, Class: "datadis.plugin." + r.Plugin, Time: fmt.Sprintf("%.3f", seconds)}
		switch c.Status {
		case Failed:
			suite.Failures++
			one.Failure = r.failure(c.Name)
		case Skipped:
			suite.Skipped++
			one.Skipped = &junitSkipped{c.Reason}
		}
		suite.Cases = append(suite.Cases, one)
	}
	suite.Time = fmt.Sprintf("%.3f", total)
	if _, err := io.WriteString(out, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(out)
	e.Indent("", "  ")
	if err := e.Encode(suite); err != nil {
		return fmt.Errorf("write the JUnit report: %w", err)
	}
	_, err := io.WriteString(out, "\n")
	return err
}

// failure joins the findings of a check: JUnit has room for one.
func (r *Report) failure(check string) *junitFailure {
	var codes, lines []string
	for _, f := range r.Findings {
		if f.Check == check {
			codes, lines = append(codes, f.Code), append(lines, f.Error())
		}
	}
	return &junitFailure{Type: strings.Join(codes, ","), Message: lines[0], Text: strings.Join(lines, "\n")}
}
