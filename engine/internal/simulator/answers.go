package simulator

import (
	"net/http"
	"strings"
	"time"
)

// answer is what goes back to a client.
type answer struct {
	status      int
	contentType string // "": none is sent
	body        []byte
	outcome     string
	header      http.Header
}

// Outcomes of calls, as the request log names them. A call that a fault
// answered has the outcome "fault:<kind>".
const (
	OutcomeOK           = "ok"
	OutcomeEmpty        = "empty"        // 200 without data
	OutcomeRefused      = "refused"      // asked again too soon
	OutcomeInvalid      = "invalid"      // parameters, or a CUPS that the account may not see
	OutcomeNone         = "none"         // 404: an account without supplies
	OutcomeForbidden    = "forbidden"    // nobody authorised the account, or the path or agent is blocked
	OutcomeUnauthorized = "unauthorized" // token
	OutcomeRejected     = "rejected"     // user or password
	OutcomeFailed       = "failed"       // the simulator itself
)

// Names of the answers of the catalogue (datadis-api.md 8.1), for faults too.
const (
	badToken        = "401"
	expiredToken    = "401_plain"
	badCredentials  = "bad_credentials"
	noSupplies      = "404_no_supplies"
	noData          = "404_no_data"
	noAuthorized    = "403_no_authorized"
	cupsRefused     = "400_cups"
	badDates        = "400_dates"
	badParameter    = "400_parameter"
	badDistributor  = "400_distributor"
	badPointType    = "400_point_type"
	badMeasurement  = "400_measurement_type"
	noAccept        = "400_header"
	missing         = "500_empty"
	repeated        = "429"
	forbidden       = "403"
	internal        = "500"
	internalBare    = "500_no_message"
	noConnection    = "500_jdbc"
	badGateway      = "502"
	azureGateway    = "502_azure"
	unavailable     = "503"
	gatewayTimeout  = "504"
	pageAsSuccess   = "html200"
	credentials401  = "bad_credentials_401"
	credentials403  = "bad_credentials_403"
	plainJSON       = "application/json"
	utf8JSON        = "application/json;charset=UTF-8"
	plainText       = "text/plain"
	utf8Text        = "text/plain;charset=UTF-8"
	html            = "text/html"
	springTimestamp = "2006-01-02T15:04:05.000-0700"
)

// template is an answer in which {time} and {path} are to be filled in.
type template struct {
	status            int
	contentType, body string
	outcome           string
}

// catalogue are the answers that Datadis was seen to give, by name. Blanks at
// the end of a text are the real one's.
func catalogue(name string) (template, bool) {
	t, known := map[string]template{
		badToken:       {401, plainJSON, `{"timestamp":"{time}","status":401,"error":"Unauthorized","message":"No message available","path":"{path}"}`, OutcomeUnauthorized},
		expiredToken:   {401, utf8Text, "401 Unauthorized\n", OutcomeUnauthorized},
		badCredentials: {500, utf8JSON, `{"timestamp":"{time}","status":500,"error":"Internal Server Error","message":"Bad credentials","path":"{path}"}`, OutcomeRejected},
		credentials401: {401, utf8JSON, `{"timestamp":"{time}","status":401,"error":"Unauthorized","message":"Bad credentials","path":"{path}"}`, OutcomeRejected},
		credentials403: {403, utf8JSON, `{"timestamp":"{time}","status":403,"error":"Forbidden","message":"Bad credentials","path":"{path}"}`, OutcomeRejected},
		noSupplies:     {404, utf8JSON, `No supplies`, OutcomeNone},
		noData:         {404, "", `Data not found`, OutcomeNone},
		noAuthorized:   {403, plainJSON, `No authorized supplies`, OutcomeForbidden},
		cupsRefused:    {400, plainJSON, `No se encuentra autorizado el cups introducido`, OutcomeInvalid},
		badDates:       {400, plainJSON, `Fechas incorrectas revise: Formato de fechas YYYY/MM, las fechas deben ser anteriores o iguales al mes actual, fecha inicio no superior a fecha fin. La fecha inicio no puede ser superior a dos años.`, OutcomeInvalid},
		badParameter:   {400, plainJSON, `Parámetro requerido en estado vacío, con formato erróneo, o con valores fuera de rango / Parámetro de ordenación erróneo`, OutcomeInvalid},
		badDistributor: {400, plainJSON, `CUPS o distributor no válido `, OutcomeInvalid},
		badPointType:   {400, plainJSON, `PointType incorrecto `, OutcomeInvalid},
		badMeasurement: {400, plainJSON, `MeasurementType incorrecto `, OutcomeInvalid},
		noAccept:       {400, utf8Text, `Parámetro en cabecera requerido en estado vacío, con formato erróneo o con valores fuera de rango`, OutcomeInvalid},
		missing:        {500, "", ``, OutcomeInvalid},
		repeated:       {429, utf8JSON, `Consulta ya realizada en las últimas 24 horas. `, OutcomeRefused},
		forbidden:      {403, plainText, "403 Forbidden\n", OutcomeForbidden},
		internal:       {500, plainJSON, `{"status":500,"error":"INTERNAL_SERVER_ERROR","message":"500 Internal Server Error","timestamp":"{time}"}`, OutcomeFailed},
		internalBare:   {500, plainJSON, `{"status":500,"error":"INTERNAL_SERVER_ERROR","timestamp":"{time}"}`, OutcomeFailed},
		noConnection:   {500, plainJSON, `{"status":500,"error":"INTERNAL_SERVER_ERROR","message":"Unable to acquire JDBC Connection; nested exception is org.hibernate.exception.JDBCConnectionException: Unable to acquire JDBC Connection","timestamp":"{time}"}`, OutcomeFailed},
		badGateway:     {502, html, gatewayPage("502 Bad Gateway", "nginx/1.24.0"), OutcomeFailed},
		azureGateway:   {502, html, gatewayPage("502 Bad Gateway", "Microsoft-Azure-Application-Gateway/v2"), OutcomeFailed},
		unavailable:    {503, html, gatewayPage("503 Service Temporarily Unavailable", "nginx/1.24.0"), OutcomeFailed},
		gatewayTimeout: {504, html, gatewayPage("504 Gateway Time-out", "nginx/1.24.0"), OutcomeFailed},
		pageAsSuccess:  {200, html, "\n\n\n<!DOCTYPE html>\n<html><head><title>Datadis</title></head><body>Servicio no disponible</body></html>\n", OutcomeFailed},
	}[name]
	return t, known
}

func gatewayPage(title, server string) string {
	return "<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + title +
		"</h1></center>\r\n<hr><center>" + server + "</center>\r\n</body>\r\n</html>\r\n"
}

// canned is an answer of the catalogue, filled in.
func canned(name, path string, now time.Time) answer {
	t, known := catalogue(name)
	if !known {
		t, _ = catalogue(internal)
	}
	body := strings.NewReplacer("{time}", now.UTC().Format(springTimestamp), "{path}", path).Replace(t.body)
	return answer{status: t.status, contentType: t.contentType, body: []byte(body), outcome: t.outcome}
}

// wrapped is a data answer: in v1 the payload alone, in v2 an object with the
// payload under key and the errors of distributors. Data is labelled as text,
// without a charset.
func wrapped(version int, key string, payload []byte, problems []distributorError, outcome string) answer {
	a := answer{status: http.StatusOK, contentType: plainText, body: payload, outcome: outcome}
	if version == 1 {
		return a
	}
	body := make([]byte, 0, len(payload)+len(key)+64)
	body = append(append(append(append(body, `{"`...), key...), `":`...), payload...)
	body = append(body, `,"distributorError":`...)
	a.body = append(append(body, mustJSON(problems)...), '}')
	return a
}

// distributorError is what v2 says of a distributor that did not answer.
type distributorError struct {
	Code        string `json:"distributorCode"`
	Name        string `json:"distributorName"`
	ErrorCode   string `json:"errorCode"`
	Description string `json:"errorDescription"`
}

// Codes of distributors' errors.
const (
	foreignNIF = "2"
	nothing    = "8"
)

func (d *Distributor) problem(code string) distributorError {
	text := map[string]string{
		foreignNIF: "La distribuidora no puede facilitar información a ese NIF",
		nothing:    "No existen datos en el periodo solicitado",
	}[code]
	if text == "" {
		text = "Error interno distribuidora"
	}
	return distributorError{d.Code, d.Name, code, text}
}
