package sdk

import "path/filepath"

// Instance is a plugin as one configuration file sets it up.
type Instance struct {
	Name string // config_<name>.json: the source's or the harmonizer's name
	Dir  string // the folder that relative paths of the configuration refer to
	Temp string // a private folder that goes away with the process
}

// Path is a path of the configuration as an absolute one.
func (i Instance) Path(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(i.Dir, path)
}

// Problem is something wrong with a configuration.
type Problem struct {
	Path    string // JSON pointer to the value, "" for the whole
	Message string // what is wrong, and how to mend it; no secrets
}
