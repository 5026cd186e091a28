{ What a Pascal host may do to clients, events and the process. Arguments and output: see
  lifetimes.c. Without arguments it prints the library's version. }
program lifetimes;

{$MODE DELPHI}
{$CODEPAGE UTF8}

uses
  cthreads, SysUtils, Classes, Sockets, engagepointshop;

const
  ASTRID = 'a0000000-0000-4000-8000-000000000001';
  { Every request for this member stalls. }
  BJORN = 'a0000000-0000-4000-8000-000000000002';
  COFFEE = 'b0000000-0000-4000-8000-000000000001';

type
  TTexts = array of UTF8String;
  TKind = (List, Buy);

  { A call on a thread of its own. }
  TCall = class(TThread)
  private
    FShop: TEpsClient;
    FKind: TKind;
    FOptions: TEpsOptions;
  protected
    procedure Execute; override;
  public
    IsDone: Boolean;
    Code: Int32;
    Problem: TClass;
    constructor CreateOf(shop: TEpsClient; kind: TKind; const options: TEpsOptions);
  end;

  { What the events of a client get. }
  TSeen = class
    Lines, Completed: Integer;
    Wanted: UTF8String;
    Raises: (Nothing, AnException, AnObject);
    Shop: TEpsClient;
    procedure Line(level: Int32; const text: UTF8String);
    procedure Change(const operation: TEpsJson);
    procedure Once(const operation: TEpsJson);
  end;

var
  Held: Integer = 0;
  Raised: Integer = 0;

procedure Check(holds: Boolean; const what: string);
begin
  if not holds then
  begin
    WriteLn(ErrOutput, 'does not hold: ', what);
    Flush(ErrOutput);
    Halt(1);
  end;
  Inc(Held);
end;

function Open(const journal: UTF8String): TEpsClient;
begin
  Result := TEpsClient.Create(EpsOptions.Text('baseUrl', UTF8String(ParamStr(1))).Text('caFile', UTF8String(ParamStr(2)))
    .Text('apiKey', UTF8String(ParamStr(3))).Text('userAgent', 'Host/1').Whole('waitMs', 60000)
    .Text('journalPath', UTF8String(ParamStr(4)) + '/' + journal));
end;

function ReadFile(const path: string): AnsiString;
var
  lines: TStringList;
begin
  lines := TStringList.Create;
  try
    lines.LoadFromFile(path);
    Result := lines.Text;
  finally
    lines.Free;
  end;
end;

{ Returns whether this process has the journal open: its shared memory is mapped. }
function IsOpen(const journal: string): Boolean;
begin
  Result := Pos(journal + '-shm', ReadFile('/proc/self/maps')) > 0;
end;

{ Returns how many purchases for Björn the sandbox got. }
function Arrived: Integer;
const
  REQUEST: AnsiString = 'GET /_sandbox/requests HTTP/1.1'#13#10'Host: localhost'#13#10'Connection: close'#13#10#13#10;
var
  address: TInetSockAddr;
  socket: LongInt;
  received: SizeInt;
  part: array[0..4095] of AnsiChar;
  piece, text: AnsiString;
  requests, each: TEpsJson;
  at: Integer;
begin
  // http://127.0.0.1:PORT
  address.sin_family := AF_INET;
  address.sin_port := htons(StrToInt(Copy(ParamStr(5), LastDelimiter(':', ParamStr(5)) + 1, 5)));
  address.sin_addr := StrToNetAddr('127.0.0.1');
  socket := fpSocket(AF_INET, SOCK_STREAM, 0);
  Check(fpConnect(socket, @address, SizeOf(address)) = 0, 'a connection to the sandbox');
  fpSend(socket, PAnsiChar(REQUEST), Length(REQUEST), 0);
  text := '';
  repeat
    received := fpRecv(socket, @part, SizeOf(part), 0);
    if received > 0 then
    begin
      SetString(piece, PAnsiChar(@part), received);
      text := text + piece;
    end;
  until received <= 0;
  CloseSocket(socket);
  requests := EpsJson(UTF8String(Copy(text, Pos(#13#10#13#10, text) + 4, Length(text))));
  Result := 0;
  for at := 0 to requests.Count('') - 1 do
  begin
    each := requests.Value('/' + UTF8String(IntToStr(at)));
    if (Pos('point-shop-items/purchase', string(each.Text('/path'))) > 0) and (each.Text('/contactId') = BJORN) then Inc(Result);
  end;
end;

constructor TCall.CreateOf(shop: TEpsClient; kind: TKind; const options: TEpsOptions);
begin
  FShop := shop;
  FKind := kind;
  FOptions := options;
  inherited Create(False);
end;

procedure TCall.Execute;
begin
  try
    case FKind of
      List: FShop.ListItems(BJORN, FOptions);
      Buy: FShop.Purchase(BJORN, COFFEE, FOptions);
    end;
    Code := EPS_OK;
  except
    on error: EEpsError do
    begin
      Code := error.Code;
      Problem := error.ClassType;
    end;
  end;
  IsDone := True;
end;

procedure TSeen.Line(level: Int32; const text: UTF8String);
begin
  if EpsJson(text).Has('/event') and (level > EPS_LOG_OFF) then InterlockedIncrement(Lines);
  case Raises of
    AnException: raise Exception.Create('from an event');
    AnObject: raise TObject.Create;
  end;
end;

procedure TSeen.Change(const operation: TEpsJson);
begin
  if (operation.Text('/reference') = Wanted) and (operation.Text('/outcome') = 'completed') then InterlockedIncrement(Completed);
end;

procedure TSeen.Once(const operation: TEpsJson);
begin
  // From its own thread an event may set another one.
  Shop.SetNotify(nil);
  if operation.Has('/operationId') then InterlockedIncrement(Lines);
end;

procedure CountRaised(error: Exception);
begin
  if error.Message <> '' then InterlockedIncrement(Raised);
  // What it raises itself ends nothing either.
  raise TObject.Create;
end;

procedure Ends(call: TCall; kind: TClass; code: Int32; const what: string);
begin
  call.WaitFor;
  Check((call.Code = code) and (call.Problem = kind), what + ': ' + string(EpsName(call.Code)));
  call.Free;
end;

{ Checks that an error without a text of the library has the keys and values of one with it. }
procedure HasAllKeys(const made, librarys: TEpsJson);
const
  EQUAL: array[0..4] of UTF8String = ('/code', '/name', '/outcome', '/forCashier', '/forMember');
  EMPTY: array[0..5] of UTF8String = ('/httpStatus', '/engageCode', '/operationId', '/purchaseId', '/retryAfterMs', '/cause/0');
var
  path: UTF8String;
begin
  for path in EQUAL do Check(made.Has(path) and (made.Text(path) = librarys.Text(path)), string(path + ': ' + made.Json));
  for path in EMPTY do Check(not made.Has(path), string(path + ': ' + made.Json));
  Check(made.Has('/message') and made.Has('/attempts') and made.Has('/cause'), string(made.Json));
end;

procedure Closing;
var
  first, second: TEpsClient;
  bought: TEpsJson;
  problems: array[1..7] of TEpsJson;
  failed, at: Integer;
begin
  first := Open('points.db');
  second := Open('points.db');
  first.Close;
  first.Close;
  bought := second.Purchase(ASTRID, COFFEE, EpsOptions.Text('reference', 'pas 1'));
  Check((bought.Text('/outcome') = 'completed') and not bought.Flag('/existing'), 'the other goes on');
  failed := 0;
  for at := 1 to 7 do
  try
    case at of
      1: first.ListPoints(ASTRID, EpsOptions);
      2: first.ListOperations(EpsOptions);
      3: first.AcknowledgeReference('pas 1');
      4: first.ResolveReview(ASTRID, 'completed', EpsOptions);
      5: first.BackupJournal('/copy.db');
      6: first.Cancel;
      7: first.SetLog(EPS_LOG_INFO, nil);
    end;
  except
    on error: EEpsNotSent do
    begin
      problems[at] := error.Problem;
      if (error.Code = EPS_CLOSED) and (error.Action = 'retry') then Inc(failed);
    end;
  end;
  Check(failed = 7, 'a call of a closed client');
  for at := 6 to 7 do HasAllKeys(problems[at], problems[1]);
  first.Free;
  Check(IsOpen('points.db'), 'a client that is open has its journal');
  second.Free;
  Check(not IsOpen('points.db'), 'and lets go of it');
end;

procedure Events;
var
  shop: TEpsClient;
  seen: TSeen;
  round: Integer;
begin
  shop := Open('points.db');
  seen := TSeen.Create;
  seen.Raises := AnException;
  seen.Shop := shop;
  EpsOnEventException := CountRaised;
  shop.SetLog(EPS_LOG_DEBUG, seen.Line);
  for round := 1 to 50 do
  begin
    if round = 25 then seen.Raises := AnObject;
    shop.ListPoints(ASTRID, EpsOptions);
  end;
  while seen.Lines < 50 do ThreadSwitch;
  shop.SetLog(EPS_LOG_OFF, nil);
  Check(Raised = seen.Lines, 'every line comes, whatever is raised');
  seen.Wanted := 'pas notified';
  shop.SetNotify(seen.Change);
  shop.Purchase(ASTRID, COFFEE, EpsOptions.Text('reference', seen.Wanted));
  while seen.Completed = 0 do ThreadSwitch;
  Check(True, 'a change is reported');
  seen.Lines := 0;
  shop.SetNotify(seen.Once);
  while seen.Lines = 0 do ThreadSwitch;
  Check(True, 'an event that removes itself');
  Check(shop.Purchase(BJORN, COFFEE, EpsOptions.Text('reference', 'pas submitted').Flag('submit', True)).Text('/outcome') = 'pending',
    'a submitted purchase is returned at once');
  // It is the first one for Björn, so that the next ones can be counted.
  while Arrived < 1 do ThreadSwitch;
  shop.Free;
  seen.Free;
end;

procedure Waiting;
var
  shop: TEpsClient;
  reading, named, buying: TCall;
begin
  shop := Open('waiting.db');
  reading := TCall.CreateOf(shop, List, EpsOptions);
  named := TCall.CreateOf(shop, Buy, EpsOptions.Text('callId', 'one'));
  Check(shop.ListItems(ASTRID, EpsOptions).Count('') > 0, 'another call returns meanwhile');
  while Arrived < 2 do ThreadSwitch;
  shop.CancelCall('one');
  Ends(named, EEpsPending, EPS_PENDING_CANCELLED, 'one call ends');
  Check(not reading.IsDone, 'and not the other');
  buying := TCall.CreateOf(shop, Buy, EpsOptions.Text('reference', 'pas closed'));
  while Arrived < 3 do ThreadSwitch;
  shop.Close;
  Ends(reading, EEpsNotSent, EPS_CLOSED, 'a read of a client that is closed');
  Ends(buying, EEpsPending, EPS_PENDING_CLOSED, 'a purchase of a client that is closed');
  shop.Free;
end;

{ Options that are no JSON object are not lost: nothing is bought. }
procedure Options;
const
  NONE: array[0..10] of UTF8String = ('{"reference": "r"', '"reference": "r"}', '"reference": "r"', '[1]', 'x {}', '{} x', '{} {}',
    '{"reference": "r"}}', '{{}', ' ', 'x');
var
  shop: TEpsClient;
  text: UTF8String;
  bought: TEpsJson;
  failed: Integer;
begin
  shop := Open('options.db');
  for text in NONE do
  begin
    failed := 0;
    try
      shop.Purchase(ASTRID, COFFEE, EpsOptionsOf(text));
    except
      on error: EEpsNotSent do if error.Code = EPS_BAD_OPTIONS then Inc(failed);
    end;
    try
      bought := shop.Purchase(ASTRID, COFFEE, EpsOptionsOf(text).Whole('waitMs', 8000));
      if bought.Text('/reference') = 'r' then Inc(failed);
    except
      on error: EEpsNotSent do if error.Code = EPS_BAD_OPTIONS then Inc(failed);
    end;
    Check(failed = 2, 'no options: ' + string(text));
  end;
  for text in TTexts.Create('{"reference": "r"}', #10' { "reference" : "r" } ') do
  begin
    Check(shop.Purchase(ASTRID, COFFEE, EpsOptionsOf(text)).Text('/reference') = 'r', 'options: ' + string(text));
    Check(shop.Purchase(ASTRID, COFFEE, EpsOptionsOf(text).Whole('waitMs', 8000)).Text('/reference') = 'r', 'and one more');
  end;
  Check(shop.ListPoints(ASTRID, EpsOptionsOf(' { } ').Whole('waitMs', 8000)).Count('') > 0, 'an empty object');
  Check(shop.ListPoints(ASTRID, EpsOptionsOf('')).Count('') > 0, 'an empty text is no options');
  shop.Free;
end;

{ Returns whether a value is rejected as a number. }
function IsRejected(const json: UTF8String): Boolean;
begin
  Result := False;
  try
    EpsJson(json).Whole('/0');
  except
    on EConvertError do Result := True;
  end;
end;

procedure Texts;
var
  shop: TEpsClient;
  value, each: TEpsJson;
  all: UTF8String;
  isError: Boolean;
begin
  shop := Open('points.db');
  isError := False;
  try
    shop.FindContact('email', 'a'#0'b', EpsOptions);
  except
    on EArgumentException do isError := True;
  end;
  Check(isError, 'a NUL inside is an error');
  shop.Free;
  value := EpsJson('{"a": [1, -2.5, true, null, "\"å/~"], "b~/": {"c": []}}');
  Check((value.Count('/a') = 5) and (value.Whole('/a/0') = 1) and (value.Number('/a/1') = -2.5) and value.Flag('/a/2'), 'values');
  Check(not value.Has('/a/3') and (value.Text('/a/3') = '') and not value.Has('/x') and (value.Text('/a/4') = UTF8String('"å/~')), 'and texts');
  Check((value.Value('/b~0~1').Json = '{"c": []}') and (value.Count('/b~0~1/c') = 0), 'and objects');
  Check(EpsOptions.Text('re"f', 'å", "submit": true').Whole('n', -7).ToJson
    = UTF8String('{"re\"f":"å\", \"submit\": true","n":-7}'), 'a text sets no option');
  Check(EpsOptionsOf(' {"a": 1} ').Flag('b', False).ToJson = ' {"a": 1,"b":false}', 'options of the program');
  all := '';
  for each in EpsItems(EpsJson(' [ 1, "a,]\"", {"b": [2, 3]}, [[]] , null ] ')) do all := all + each.Text('') + '|';
  Check(all = '1|a,]"|{"b": [2, 3]}|[[]]||', string(all));
  for all in TTexts.Create('', '[', '[]', '{"0": 1, "1": 2}', '"[1, 2]"', '[1, 2', 'null') do
    Check((Length(EpsItems(EpsJson(all))) = 0) and (EpsJson(all).Count('') = 0), 'no array with elements: ' + string(all));
  value := EpsJson('[1.5e3, 500.00, 9007199254740993, null, -3.0]');
  Check((value.Whole('/0') = 1500) and (value.Whole('/1') = 500) and (value.Whole('/2') = 9007199254740993), 'whole numbers');
  Check((value.Whole('/3') = 0) and (value.Whole('/9') = 0) and (value.Number('/3') = 0) and (value.Whole('/4') = -3), 'or none');
  for all in TTexts.Create('[0.5]', '[1e300]', '["x"]', '[true]', '[[]]', '[9007199254740993.0]') do
    Check(IsRejected(all), 'no whole number: ' + string(all));
end;

var
  left: TEpsClient;
  seen: TSeen;
begin
  SetMultiByteConversionCodePage(CP_UTF8);
  if ParamCount = 0 then
  try
    // Whether the library is found: the tests put wrong libraries of every kind beside it.
    WriteLn(EpsVersion);
    Exit;
  except
    on problem: EEpsLibrary do
    begin
      WriteLn(problem.Message);
      Halt(3);
    end;
  end;
  Closing;
  Events;
  Waiting;
  Options;
  Texts;
  // Left open with an event, and with a thread in a call: the process still ends cleanly.
  left := Open('points.db');
  seen := TSeen.Create;
  left.SetLog(EPS_LOG_DEBUG, seen.Line);
  TCall.CreateOf(left, List, EpsOptions).FreeOnTerminate := True;
  left.ListPoints(ASTRID, EpsOptions);
  WriteLn(Held, ' checks held');
end.
