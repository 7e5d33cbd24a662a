package kafkatest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// jars names the variable with the folder that scripts/kafka-jars.sh prints.
const jars = "DATADIS_TEST_KAFKA_JARS"

// java is what a broker is run with.
type java struct {
	path      string // of the program
	classpath string
}

// Need skips a test where no real broker can be started.
func Need(t testing.TB) {
	t.Helper()
	findJava(t)
}

// findJava finds Java and the broker's jars: where DATADIS_TEST_KAFKA_JARS says,
// and then the test must run, or where scripts/kafka-jars.sh leaves them. Where
// they are not, the test is skipped.
func findJava(t testing.TB) java {
	t.Helper()
	dir, wanted := os.LookupEnv(jars)
	if !wanted {
		dir = filepath.Join(moduleRoot(t), ".cache", "kafka")
	}
	found, err := lookForJava(dir)
	switch {
	case err == nil:
		return found
	case wanted:
		t.Fatalf("no real Kafka broker: %v", err)
	default:
		t.Skipf("no real Kafka broker: %v (scripts/kafka-jars.sh gets what is missing)", err)
	}
	return java{}
}

func lookForJava(dir string) (java, error) {
	// The script copies this file last.
	if _, err := os.Stat(filepath.Join(dir, "pom.xml")); err != nil {
		return java{}, fmt.Errorf("its jars are not in %s", dir)
	}
	path := "java"
	if home := os.Getenv("JAVA_HOME"); home != "" {
		path = filepath.Join(home, "bin", "java")
	}
	path, err := exec.LookPath(path)
	if err != nil {
		return java{}, fmt.Errorf("there is no Java: %w", err)
	}
	return java{path, filepath.Join(dir, "*")}, nil
}

// moduleRoot is the folder of go.mod, above the folder that a test runs in.
func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); !errors.Is(err, os.ErrNotExist) || dir == filepath.Dir(dir) {
			return dir
		}
	}
}

// command runs a class of the broker. The options keep a machine with few
// cores free for the tests.
func (j java) command(class string, args ...string) *exec.Cmd {
	return exec.Command(j.path, append([]string{
		"-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true",
		"-cp", j.classpath, class,
	}, args...)...)
}
