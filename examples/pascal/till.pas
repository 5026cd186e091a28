{ A till that sells rewards for points, as a POS vendor would write it in Pascal. It is the till of
  examples/c, which describes the options and the exit codes. }
program till;

{$IFDEF FPC}
  {$MODE DELPHI}
  {$CODEPAGE UTF8}
{$ENDIF}
{$IFDEF MSWINDOWS}{$APPTYPE CONSOLE}{$ENDIF}

uses
  {$IFDEF UNIX}cthreads,{$ENDIF}
  SysUtils, Classes, engagepointshop;

const
  COMPLETED = 0;
  FAILED = 1;
  USAGE = 2;
  DECLINED = 10;
  PENDING = 11;
  NOT_SENT = 12;

var
  Shop: TEpsClient;
  Given: TStringList; { 'option=value', each in UTF-8 }
  Output, Errors: THandleStream;

{ --- Small helpers ----------------------------------------------------------------------------- }

{ Writes a line at once, in UTF-8. }
procedure Put(stream: TStream; const text: UTF8String);
var
  line: UTF8String;
begin
  line := text + #10;
  stream.WriteBuffer(line[1], Length(line));
end;

procedure Say(const text: UTF8String);
begin
  Put(Output, text);
end;

{ Returns an argument's value, '' without it. }
function Value(const option: string): UTF8String;
begin
  Result := UTF8String(Given.Values[option]);
end;

function IsGiven(const option: string): Boolean;
begin
  Result := Given.IndexOfName(option) >= 0;
end;

{ Puts spaces before or behind a text. }
function Padded(const text: UTF8String; width: Integer): UTF8String;
begin
  Result := text;
  while Length(Result) < Abs(width) do
    if width < 0 then Result := ' ' + Result else Result := Result + ' ';
end;

function Points(number: Double): UTF8String;
begin
  Result := UTF8String(IntToStr(Round(number)));
end;

{ Prints a problem for the technician: its code, its message and every cause. }
procedure ShowProblem(const step: UTF8String; error: EEpsError);
var
  cause: TEpsJson;
begin
  Put(Errors, step + ': ' + error.Explanation);
  for cause in EpsItems(error.Problem.Value('/cause')) do Put(Errors, '    because: ' + cause.Text(''));
  if error.Problem.Has('/httpStatus') then
    Put(Errors, UTF8String(TrimRight(string('    HTTP status ' + error.Problem.Text('/httpStatus') + ' ' + error.Problem.Text('/engageCode')))));
end;

{ Prints the outcome for the cashier, and what the member is shown. The library has both texts for
  every code, also a newer one; 'language' in the configuration chooses their language. The action
  says who acts: a fault of the program is nothing that a member should read about. }
procedure ShowCashier(error: EEpsError);
begin
  Say('==> ' + error.Problem.Text('/forCashier'));
  if error.Action <> 'fixProgram' then Say('    For the member: ' + error.Problem.Text('/forMember'));
end;

{ Returns the exit code. The exception's class says what happened, also for a newer code. }
function ExitCodeOf(error: EEpsError): Integer;
begin
  if error is EEpsDeclined then Result := DECLINED
  else if error is EEpsNotSent then Result := NOT_SENT
  else Result := PENDING;
end;

{ Returns the options that a sale's calls have in common. }
function SaleOptions: TEpsOptions;
begin
  Result := EpsOptions;
  if IsGiven('--reference') then Result := Result.Text('reference', Value('--reference'));
  if IsGiven('--wait') then Result := Result.Json('waitMs', Value('--wait'));
end;

{ --- The steps of a sale ----------------------------------------------------------------------- }

{ Acknowledges an outcome that the till has printed. If it fails, the operation is listed again at
  the next start. }
procedure Acknowledge(const operationId: UTF8String);
begin
  try
    Shop.Acknowledge(operationId);
  except
    on error: EEpsError do ShowProblem('cannot acknowledge', error);
  end;
end;

{ Acknowledges a receipt that the till has printed, the purchase and its redeem in one step. While
  one of them is pending, only the operation is acknowledged. }
procedure AcknowledgeReceipt(const operationId: UTF8String);
begin
  if not IsGiven('--reference') then
  begin
    Acknowledge(operationId);
    Exit;
  end;
  try
    Shop.AcknowledgeReference(Value('--reference'));
  except
    on error: EEpsError do
      if error.Code = EPS_STILL_PENDING then Acknowledge(operationId)
      else ShowProblem('cannot acknowledge', error);
  end;
end;

{ Finds the reward of a purchase and prints it for the member. Returns the assignment's id if the
  reward is certain, else ''. }
function PrintReward(const operationId: UTF8String): UTF8String;
const
  LABELS: array[0..3] of UTF8String = ('', 'Barcode: ', 'Valid until: ', 'Cashier: ');
  KEYS: array[0..3] of UTF8String = ('description', 'barcode', 'expiresOn', 'instruction');
var
  found: TEpsJson;
  at: Integer;
  text: UTF8String;
begin
  Result := '';
  try
    found := Shop.FindReward(operationId, EpsOptions);
  except
    on error: EEpsError do
    begin
      ShowProblem('cannot find the reward', error);
      Exit;
    end;
  end;
  if not found.Has('/assignmentId') or not found.Has('/receipt') then
  begin
    Say('The reward is not certain yet (' + found.Text('/certainty') + '). Check the member''s list of rewards.');
    Exit;
  end;
  Say('Reward: ' + found.Text('/receipt/title'));
  for at := 0 to High(KEYS) do
  begin
    text := found.Text('/receipt/' + KEYS[at]);
    if text <> '' then Say('    ' + LABELS[at] + text);
  end;
  Result := found.Text('/assignmentId');
end;

{ Uses the reward on this receipt. A redeem cannot be undone. With a receipt's number, the whole
  receipt is acknowledged at its end. }
procedure Redeem(const contact, assignment: UTF8String);
var
  redeemed: TEpsJson;
begin
  try
    redeemed := Shop.RedeemReward(contact, assignment, SaleOptions);
    Say('==> The reward is used on this receipt.');
    if not IsGiven('--reference') then Acknowledge(redeemed.Text('/operationId'));
  except
    on error: EEpsError do
    begin
      if (error is EEpsDeclined) and (error.Action = 'tellMember') then
        Say('==> The reward cannot be used on this receipt.')
      else if error is EEpsDeclined then
        Say('==> Rewards cannot be used now. Call the administrator.')
      else if error is EEpsNotSent then
        Say('==> The reward is not used. You may try again.')
      else if error.Action = 'review' then
        Say('==> A person must check whether the reward is used. Let the sale go on.')
      else
        Say('==> The use of the reward is pending. Let the sale go on. The POS resolves it by itself.');
      ShowProblem('redeem', error);
      if not IsGiven('--reference') and not (error is EEpsPending) and error.Problem.Has('/operationId') then
        Acknowledge(error.Problem.Text('/operationId'));
    end;
  end;
end;

{ Adds a line for an earlier purchase to the file of --shown. }
procedure NoteShown(const operation: TEpsJson);
var
  name: string;
  shown: TFileStream;
begin
  name := string(Value('--shown'));
  if name = '' then Exit;
  if FileExists(name) then shown := TFileStream.Create(name, fmOpenReadWrite) else shown := TFileStream.Create(name, fmCreate);
  try
    shown.Seek(0, soEnd);
    Put(shown, operation.Text('/reference') + #9 + operation.Text('/outcome'));
  finally
    shown.Free;
  end;
end;

{ Shows an operation of an earlier run, and acknowledges it if its outcome is known. After a power
  cut, this step gives the member the reward. }
procedure ShowEarlier(const operation: TEpsJson);
var
  kind, outcome, id: UTF8String;
begin
  kind := operation.Text('/kind');
  outcome := operation.Text('/outcome');
  id := operation.Text('/operationId');
  Say('Earlier ' + kind + ' ' + id + ' (' + operation.Text('/reference') + '): ' + outcome);
  if kind = 'purchase' then NoteShown(operation);
  // The member uses it at the next visit.
  if (kind = 'purchase') and (outcome = 'completed') then PrintReward(id);
  // It stays pending and listed until a person has decided (ResolveReview, or eps review).
  if operation.Flag('/needsReview') then
  begin
    Say('    A person must decide. Compare the member''s purchases and rewards in Engage with the receipt,');
    Say('    then store the decision: eps review ' + id);
  end;
  if outcome <> 'pending' then Acknowledge(id);
end;

{ Shows the operations of an earlier run. The library resolves those that are pending. }
function ShowEarlierSales: TEpsItems;
var
  operation: TEpsJson;
begin
  Result := nil;
  try
    Result := EpsItems(Shop.ListUnacknowledged(EpsOptions).Value('/operations'));
  except
    on error: EEpsError do ShowProblem('cannot list earlier sales', error);
  end;
  for operation in Result do ShowEarlier(operation);
end;

{ Resolves the earlier sales that are still pending, after the sale. This program ends here, so that
  the library has no time to resolve them in the background. A POS that keeps running needs no such
  step, and no POS takes it at its start: all tills share the requests of one key. }
procedure ResolveEarlierSales(const earlier: TEpsItems);
var
  hasAsked: Boolean;
  operation, now: TEpsJson;
begin
  hasAsked := False;
  for operation in earlier do
  begin
    if (operation.Text('/outcome') <> 'pending') or operation.Flag('/needsReview') then Continue;
    if not hasAsked then
    try
      hasAsked := True;
      Shop.ResolvePending(EpsOptions.Whole('waitMs', 5000));
    except
      on error: EEpsError do ShowProblem('cannot resolve earlier sales now', error);
    end;
    try
      now := Shop.GetOperation(operation.Text('/operationId'));
      if (now.Text('/outcome') <> 'pending') and not now.Has('/acknowledgedAtMs') then ShowEarlier(now);
    except
      on error: EEpsError do ShowProblem('cannot read an earlier sale', error);
    end;
  end;
end;

{ Finds the member by a key and a value, 'email=astrid@example.com'. Returns the contact's id. }
function FindMember(const member: UTF8String): UTF8String;
var
  at: Integer;
begin
  at := Pos('=', member);
  try
    Result := Shop.FindContact(Copy(member, 1, at - 1), Copy(member, at + 1, Length(member)), EpsOptions);
    Say('The member is ' + Result + '.');
  except
    on error: EEpsError do
    begin
      ShowCashier(error);
      ShowProblem('cannot find the member', error);
      raise;
    end;
  end;
end;

{ Returns the member's points, or -1 if they cannot be read. }
function PointsOf(const contact: UTF8String): Double;
var
  account: TEpsJson;
begin
  try
    Result := 0;
    for account in EpsItems(Shop.ListPoints(contact, EpsOptions)) do Result := Result + account.Number('/balance');
  except
    on error: EEpsError do
    begin
      ShowProblem('cannot read the points', error);
      Result := -1;
    end;
  end;
end;

{ Shows the offers and chooses the wanted one, else the first that the member can afford. }
function ChooseOffer(const contact: UTF8String; balance: Double): UTF8String;
var
  items, item: TEpsJson;
  wanted, title: UTF8String;
begin
  try
    items := Shop.ListItems(contact, EpsOptions);
  except
    on error: EEpsError do
    begin
      ShowCashier(error);
      ShowProblem('cannot list the offers', error);
      raise;
    end;
  end;
  Result := '';
  wanted := Value('--item');
  Say('Offers:');
  for item in EpsItems(items) do
  begin
    if Result = '' then
      if (wanted = item.Text('/id')) or ((wanted = '') and (item.Number('/cost') <= balance)) then
        Result := item.Text('/id');
    title := item.Text('/presentation/title');
    if title = '' then title := item.Text('/name');
    Say('  ' + Padded(Points(item.Number('/cost')), -6) + ' points  ' + title);
  end;
  if Result <> '' then Exit;
  if wanted = '' then Say('There is no offer the member can buy.') else Say('The member is not offered this item.');
end;

{ Buys an item, prints the outcome, and acknowledges it unless it is pending. }
function Buy(const contact, item: UTF8String): Integer;
var
  bought: TEpsJson;
  line, assignment: UTF8String;
begin
  try
    // With the receipt's number, a second press is the same purchase, also after a restart. With
    // the snapshot of the rewards, the new reward is distinguished from older ones.
    bought := Shop.Purchase(contact, item, SaleOptions.Flag('snapshotRewards', True));
  except
    on error: EEpsError do
    begin
      ShowCashier(error);
      ShowProblem('purchase', error);
      // The outcome is printed, so it is acknowledged. A pending operation is acknowledged when its
      // outcome is known.
      if not (error is EEpsPending) and error.Problem.Has('/operationId') then
        AcknowledgeReceipt(error.Problem.Text('/operationId'));
      Exit(ExitCodeOf(error));
    end;
  end;
  Say('==> The reward is bought.');
  line := 'Purchase ' + bought.Text('/purchaseId') + ' for ' + Points(bought.Number('/purchase/cost')) + ' points';
  if bought.Flag('/existing') then line := line + ' (existing purchase: nothing was deducted again)';
  Say(line);
  assignment := PrintReward(bought.Text('/operationId'));
  if (assignment <> '') and not IsGiven('--no-redeem') then Redeem(contact, assignment);
  AcknowledgeReceipt(bought.Text('/operationId'));
  Result := COMPLETED;
end;

procedure ShowPurchases(const contact: UTF8String);
var
  purchases, purchase: TEpsJson;
begin
  try
    purchases := Shop.ListPurchases(contact, EpsOptions);
    Say('Purchases:');
    for purchase in EpsItems(purchases) do
      Say('  ' + Padded(Points(purchase.Number('/cost')), -6) + ' points  ' + Padded(purchase.Text('/status'), 10)
        + ' ' + purchase.Text('/createdOn'));
  except
    on error: EEpsError do ShowProblem('cannot list the purchases', error);
  end;
end;

{ Returns the item that an earlier run bought on this receipt for the member, else ''. The second
  press means that purchase, also when the offers cannot be read. }
function ItemOfReceipt(const earlier: TEpsItems; const contact: UTF8String): UTF8String;
var
  operation: TEpsJson;
begin
  Result := '';
  if IsGiven('--reference') then
    for operation in earlier do
      if (operation.Text('/reference') = Value('--reference')) and (operation.Text('/contactId') = contact)
        and ((operation.Text('/outcome') = 'pending') or (operation.Text('/outcome') = 'completed')) then
        Exit(operation.Text('/itemId'));
end;

{ Makes one sale, from the member to the receipt. }
function Sell(const contact: UTF8String; const earlier: TEpsItems): Integer;
var
  balance: Double;
  item: UTF8String;
begin
  balance := PointsOf(contact);
  if balance >= 0 then Say('The member has ' + Points(balance) + ' points.');
  item := ItemOfReceipt(earlier, contact);
  if item = '' then item := ChooseOffer(contact, balance);
  if item = '' then Exit(FAILED);
  Result := Buy(contact, item);
  ShowPurchases(contact);
  balance := PointsOf(contact);
  if balance >= 0 then Say('The member has ' + Points(balance) + ' points left.');
end;

{ Finds the member, if the contact's id is not given, and makes the sale. }
function SellToMember(const earlier: TEpsItems): Integer;
var
  contact: UTF8String;
begin
  try
    contact := Value('--contact');
    if contact = '' then contact := FindMember(Value('--member'));
    Result := Sell(contact, earlier);
  except
    on error: EEpsError do Result := ExitCodeOf(error); // The step that failed has printed it.
  end;
end;

{ Sets an argument's value. The last one counts. }
procedure SetValue(const option, value: string);
begin
  if IsGiven(option) then Given.Delete(Given.IndexOfName(option));
  Given.Add(option + '=' + value);
end;

{ Sells until standard input ends: one line with a sale, one line with its outcome. The library
  resolves pending sales in the background, and the next sale shows them. }
function Serve: Integer;
var
  line: UTF8String;
  sale: TEpsJson;
  earlier: TEpsItems;
begin
  while not EOF do
  begin
    ReadLn(line);
    sale := EpsJson(line);
    earlier := ShowEarlierSales;
    SetValue('--contact', string(sale.Text('/contact')));
    SetValue('--item', string(sale.Text('/item')));
    SetValue('--reference', string(sale.Text('/reference')));
    SetValue('--wait', string(sale.Text('/waitMs')));
    case SellToMember(earlier) of
      COMPLETED: Say('{"outcome": "completed"}');
      DECLINED: Say('{"outcome": "declined"}');
      PENDING: Say('{"outcome": "pending"}');
      NOT_SENT: Say('{"outcome": "notSent"}');
    else
      Say('{"outcome": "failed"}');
    end;
  end;
  Result := COMPLETED;
end;

{ --- The program ------------------------------------------------------------------------------- }

function IsNumber(const text: string): Boolean;
var
  letter: Char;
begin
  Result := text <> '';
  for letter in text do
    if not (letter in ['0'..'9']) then Result := False;
end;

{ Returns whether the arguments are complete. }
function ReadArguments: Boolean;
const
  KNOWN = ' --url --key --ca --journal --contact --member --item --reference --wait --request-timeout --startup-jitter --shown ';
var
  at: Integer;
  option: string;
begin
  at := 1;
  while at <= ParamCount do
  begin
    option := ParamStr(at);
    if (option = '--no-redeem') or (option = '--serve') then
      Given.Add(option + '=')
    else if (Pos(' ' + option + ' ', KNOWN) = 0) or (at = ParamCount) then
      Exit(False)
    else
    begin
      Inc(at);
      SetValue(option, ParamStr(at));
    end;
    Inc(at);
  end;
  Result := IsGiven('--url') and IsGiven('--journal') and (IsGiven('--serve') or (IsGiven('--contact') <> IsGiven('--member')))
    and (not IsGiven('--startup-jitter') or IsNumber(Given.Values['--startup-jitter']))
    and (not IsGiven('--wait') or IsNumber(Given.Values['--wait']))
    and (not IsGiven('--request-timeout') or IsNumber(Given.Values['--request-timeout']))
    and (not IsGiven('--member') or (Pos('=', Given.Values['--member']) > 0));
end;

function Run: Integer;
var
  config: TEpsOptions;
  earlier: TEpsItems;
begin
  // A relative path would be another journal when the program is started in another folder.
  config := EpsOptions.Text('baseUrl', Value('--url')).Text('userAgent', 'ExampleTill/1.0')
    .Text('journalPath', UTF8String(ExpandFileName(string(Value('--journal')))));
  if IsGiven('--key') then config := config.Text('apiKey', Value('--key'));
  if IsGiven('--ca') then config := config.Text('caFile', Value('--ca'));
  if IsGiven('--request-timeout') then config := config.Json('requestTimeoutMs', Value('--request-timeout'));
  if IsGiven('--startup-jitter') then config := config.Json('startupJitterMs', Value('--startup-jitter'));
  try
    Shop := TEpsClient.Create(config);
  except
    on error: EEpsError do
    begin
      ShowProblem('cannot open the point shop', error);
      Exit(FAILED);
    end;
  end;
  // Pending purchases stay in the journal and are resolved after the next start.
  try
    if IsGiven('--serve') then Exit(Serve);
    earlier := ShowEarlierSales;
    Result := SellToMember(earlier);
    ResolveEarlierSales(earlier);
  finally
    Shop.Free;
  end;
end;

begin
  {$IFDEF FPC}
  SetMultiByteConversionCodePage(CP_UTF8);
  {$ENDIF}
  Output := THandleStream.Create(TTextRec(System.Output).Handle);
  Errors := THandleStream.Create(TTextRec(ErrOutput).Handle);
  Given := TStringList.Create;
  if ReadArguments then
    ExitCode := Run
  else
  begin
    Put(Errors, 'usage: till --url URL --key KEY --journal FILE --contact GUID | --member KEY=VALUE' +
      ' [--ca FILE] [--item GUID] [--reference TEXT] [--wait MS] [--request-timeout MS] [--startup-jitter MS]' +
      ' [--shown FILE] [--no-redeem] [--serve]');
    ExitCode := USAGE;
  end;
end.
